"""Spans for the steps of frameworks that have a public hook for that; each module needs its own."""
