"""In which of four forms an SDK gave its answer."""

from __future__ import annotations

from typing import Any, Final, Literal

Form = Literal["answer", "stream", "raw", "binary"]

_forms: Final[dict[type[Any], Form]] = {}


def form_of(result: Any) -> Form:
    """The form of `result`.

    An answer, a stream of its parts, a response not yet parsed, or one with a body that is no text.
    It is the same for all objects of a class, and looking for an attribute that a pydantic model
    does not have takes microseconds: so each class is looked at once.
    """
    kind = result.__class__  # what a proxy of another tracer stands for, which may be anything
    form = _forms.get(kind)
    if form is None:
        form = _forms[kind] = _look_at(result)
    return form


def _look_at(result: Any) -> Form:
    if hasattr(result, "http_response"):  # with_raw_response, with_streaming_response
        return "raw"
    kind = result.__class__  # a proxy itself may have them all
    if hasattr(kind, "__next__") or hasattr(kind, "__anext__"):
        return "stream"
    if hasattr(result, "response") and hasattr(result, "iter_bytes"):
        return "binary"
    return "answer"
