"""The embedded store: finished spans in one SQLite file, readable while it is written."""

from ollamatrace.store.store import Store

__all__ = ["Store"]
