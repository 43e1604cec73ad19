"""The embedded store: finished spans in one SQLite file, readable while it is written."""

from ollamatrace.store.keeper import Keeper
from ollamatrace.store.store import Store

__all__ = ["Keeper", "Store"]
