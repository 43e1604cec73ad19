"""Ids."""

from __future__ import annotations

import os
import random

import pytest

from ollamatrace import ids


def test_forms():
    assert ids.trace_hex(10) == "0" * 31 + "a"
    assert ids.span_hex(10) == "0" * 15 + "a"


def test_the_programs_seed_is_not_ours():
    random.seed(1)
    first = ids.new_bits(128)
    random.seed(1)
    assert ids.new_bits(128) != first


@pytest.mark.parametrize("text", ["ab" * 16, "tr-" + "AB" * 16, " " + "ab" * 16])
def test_parse(text):
    assert ids.parse_trace_id(text) == "ab" * 16


@pytest.mark.parametrize("text", ["", "ab", "tr-", "g" * 32, "ab" * 17, None])
def test_parse_refuses(text):
    with pytest.raises(ValueError, match="32 hex"):
        ids.parse_trace_id(text)


def test_a_forked_child_has_other_ids_and_the_next_generation():
    before = ids.process.generation
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, f"{ids.process.generation} {ids.new_bits(128)}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    generation, number = os.read(read, 1000).decode().split()
    os.close(read)
    os.close(write)
    assert int(generation) == before + 1
    assert int(number) != ids.new_bits(128)
    assert ids.process.generation == before
