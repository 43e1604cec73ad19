"""Where spans go: one small class for each kind of destination."""

from ollamatrace.destinations.address import open_sink, store_path
from ollamatrace.destinations.backend import Backend, Query

__all__ = ["Backend", "Query", "open_sink", "store_path"]
