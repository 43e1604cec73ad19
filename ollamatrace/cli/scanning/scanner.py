"""Looks at texts, counts them, and makes findings of what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ollamatrace.cli.scanning.finding import Finding
from ollamatrace.cli.scanning.leaves import Way, leaves, shown
from ollamatrace.cli.scanning.probe import Probe, masked
from ollamatrace.privacy import Found, is_secret_under

_KNOWN: Final = 200_000
"""How many clean texts are remembered: each call of a chat has the whole conversation again."""
_SHORT: Final = 32
"""Texts that are looked at sooner than remembered."""
_OWN: Final = frozenset(
    {"trace_id", "span_id", "parent_id", "start_ns", "end_ns", "usage", "timing"}
)
"""What a tracer makes, and nobody says."""
_NAMED: Final = "key"
"""The rule that asks what a text is called, too."""
_ID: Final = re.compile(r"[0-9a-f]{1,32}")


class Scanner:
    """What is looked for, and how much has been looked at.

    Args:
        probes: What is looked for.
    """

    def __init__(self, probes: Sequence[Probe]) -> None:
        self.probes = probes
        self.spans = 0
        self.texts = 0
        self.bytes = 0
        self._clean: set[int] = set()

    def span(self, record: Mapping[str, Any], **place: Any) -> Iterator[Finding]:
        """Look at all of a record line."""
        self.spans += 1
        ids = {one: self._id(str(record.get(one))) for one in ("trace_id", "span_id")}
        name = record.get("name")
        place = {"span": None if name is None else self.shown(str(name)), **ids, **place}
        yield from self.value(
            {key: value for key, value in record.items() if key not in _OWN}, **place
        )

    def value(self, value: Any, **place: Any) -> Iterator[Finding]:
        """Look at all texts of a plain value; `place` is what findings say of where it is."""
        for way, text in leaves(value):
            for probe, found in self._found(way, text):
                yield Finding(
                    rule=probe.name,
                    length=found.end - found.start,
                    at=found.start,
                    field=self.shown(shown(way)) or None,
                    **place,
                )

    def _found(self, way: Way, text: str) -> list[tuple[Probe, Found]]:
        """What is in a text, or in what it is called."""
        found = self.found(text)
        whole = Found(0, len(text))
        if way and isinstance(key := way[-1], str) and is_secret_under(key, text):
            named = [(probe, whole) for probe in self.probes if probe.name == _NAMED]
            return [one for one in found if one[0].name != _NAMED] + named
        return found

    def found(self, text: str) -> list[tuple[Probe, Found]]:
        """What is in one text."""
        self.texts += 1
        known = hash(text) if len(text) > _SHORT else None
        if known in self._clean:
            return []
        found = [(probe, place) for probe in self.probes for place in probe.find(text)]
        if not found and known is not None:
            if len(self._clean) >= _KNOWN:
                self._clean.clear()
            self._clean.add(known)
        return found

    def _id(self, text: str) -> str:
        return text if _ID.fullmatch(text) else self.shown(text)

    def shown(self, text: str) -> str:
        """A name or a way, with nothing in it of what is looked for."""
        return masked(text, self.probes)
