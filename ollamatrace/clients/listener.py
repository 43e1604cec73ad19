"""Who hears what becomes of a stream."""

from __future__ import annotations

from typing import Any, Protocol


class Listener(Protocol):
    """Hears what becomes of a stream. None of it raises."""

    def chunk(self, item: Any) -> bool:
        """It brought `item`; says whether the program is not to get it."""
        ...

    def exhausted(self) -> None:
        """It was read to its end."""
        ...

    def failed(self, error: BaseException) -> None:
        """It raised."""
        ...

    def closed(self) -> None:
        """The program closed it."""
        ...

    def dropped(self) -> None:
        """Nobody holds it any more."""
        ...
