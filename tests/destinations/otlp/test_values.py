"""Values that an attribute can have."""

from __future__ import annotations

import json

import pytest

from ollamatrace.destinations.otlp.values import attribute_value
from tests.destinations.mlflow.samples import no_pause


@pytest.mark.parametrize(
    "value",
    ["a", "", True, 5, -(2**63), 2.5, ["a", "b"], [1, 2], [1.5, 2.5], [True, False]],
)
def test_simple_ones_are_as_they_are(value):
    assert attribute_value(value, no_pause) == value
    assert type(attribute_value(value, no_pause)) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ([], "[]"),
        ([1, 2.5], "[1,2.5]"),
        ([True, 1], "[true,1]"),
        ([None], "[null]"),
        ([[1]], "[[1]]"),
        ([{"a": "é"}], '[{"a":"é"}]'),
        (2**63, str(2**63)),
        (2**70, str(2**70)),
        ([2**70], f"[{2**70}]"),
        (float("nan"), "null"),
        ([float("inf")], "[null]"),
        ("\ud800", "\\ud800"),
        (["\ud800"], ["\\ud800"]),
        ({"a": "\ud800"}, '{"a": "\\ud800"}'),
    ],
)
def test_others_are_json(value, text):
    assert attribute_value(value, no_pause) == text


def test_large_values_let_the_program_run():
    pauses = []
    value = {"images": ["x" * 1_000_000], "many": [{"a": number} for number in range(5000)]}
    made = attribute_value(value, lambda: pauses.append(1))
    assert json.loads(made) == value
    assert len(pauses) > 60
