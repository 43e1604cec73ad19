"""Traced clients: a private twin of the client that you have."""

from ollamatrace.clients.client import TracedClient, tracer_of

__all__ = ["TracedClient", "tracer_of"]
