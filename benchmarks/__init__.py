"""Measurements: of ollamatrace alone, and beside other tracing SDKs."""
