"""Measurements against other tracing SDKs."""
