"""A program that ends with an open stream: ``exiting WRAPPER CLIENT URL FILE``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from tests.conformance.clients import COLUMNS
from tests.conformance.program import ENOUGH

_open: Final[list[Any]] = []


def main(name: str, client: str, url: str, file: str) -> None:
    """Ask, read a part, and end."""
    [column] = [column for column in COLUMNS if column.name == client]
    bare = column.bare(url)
    if name == "bare":
        asked, parent = bare, contextlib.nullcontext()
    else:
        from tests.conformance.cells import load

        wrapper = load(name)(Path(file))
        _open.append(wrapper)
        asked, parent = wrapper.wrap(bare), wrapper.parent()
    texts: list[str] = []
    with parent as parent_id:
        if column.is_async:
            # Left open as well: what the end of a loop does is another exit.
            _open.append(loop := asyncio.new_event_loop())
            loop.run_until_complete(_read_async(column, asked, texts))
        else:
            _open.append(stream := column.ask(asked, "stalls", stream=True))
            while len(texts) < ENOUGH:
                texts.append(column.text(next(stream)))
    print(json.dumps({"texts": texts, "parent": parent_id}))  # noqa: T201


async def _read_async(column: Any, client: Any, texts: list[str]) -> None:
    _open.append(stream := await column.ask(client, "stalls", stream=True))
    while len(texts) < ENOUGH:
        texts.append(column.text(await anext(stream)))


if __name__ == "__main__":
    main(*sys.argv[1:])
