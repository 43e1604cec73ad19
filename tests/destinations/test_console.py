"""One readable line for each span."""

from __future__ import annotations

import ollama
import pytest

from ollamatrace import TracedClient, Tracer, update_trace
from tests.exchanges import arguments, load


def test_lines(replay, capsys):
    server, _ = replay("ollama-native/chat")
    bare = ollama.Client(host=server.url)
    with bare._client, Tracer("console:") as tracer:
        TracedClient(bare, tracer=tracer).chat(
            **arguments(load("ollama-native/chat")["exchanges"][0])
        )
        with pytest.raises(ValueError), tracer.span("mine"):
            raise ValueError("bad\nand more")
        tracer.flush()
    out, err = capsys.readouterr()
    one, two = err.splitlines()
    assert out == ""
    assert one.endswith("Chat (gemma3:270m) 13 → 8 tokens")
    assert " OK " in one
    assert two.endswith("mine error ValueError: bad")


def test_an_update_of_a_trace_is_no_line(capsys):
    with Tracer("console:") as tracer:
        with tracer.span("a"):
            pass
        update_trace(user="ada")
        with tracer.span("b"):
            pass
        assert tracer.flush().delivered == 2
    first, second = capsys.readouterr().err.splitlines()
    assert (first[-1], second[-1]) == ("a", "b")


def test_what_would_move_the_cursor_is_not_written(capsys):
    with Tracer("console:") as tracer, tracer.span("a\x1b[2Jb\nc"):
        pass
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("a�[2Jb�c")
