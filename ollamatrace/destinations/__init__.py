"""Where spans go: one small class for each kind of destination."""

from ollamatrace.destinations.address import SQLITE, open_again, open_destination, store_path
from ollamatrace.destinations.backend import Backend, Paged, Query

__all__ = [
    "SQLITE",
    "Backend",
    "Paged",
    "Query",
    "open_again",
    "open_destination",
    "store_path",
]
