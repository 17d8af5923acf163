"""YAML 1.2 core schema, and the traps of YAML 1.1 that it does not have."""

import math

import pytest

from embargo.policy.scalar import resolve

VALUES = {  # text: value
    "": None, "~": None, "null": None, "NULL": None,
    "true": True, "True": True, "FALSE": False,
    "0": 0, "-12": -12, "+7": 7, "007": 7, "0o17": 15, "0x1F": 31,
    "1.5": 1.5, ".5": 0.5, "1.": 1.0, "1e3": 1000.0, "-.inf": -math.inf,
}  # fmt: skip
TEXT = (
    "no", "yes", "on", "off", "y", "n", "No", "tRUE", "nUll",
    "22:00", "1:30:00", "2021-02-19", "2021-02-19T08:00:00Z", "1_000", "0b1010", "0o8", "0xg", "1,000",
    "360.cn", "1e100.net", "e5", "+", "-", ".", "..", "=", "<<", "nan", "infinity", "1" * 5000,
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES.items(), ids=map(repr, VALUES))
def test_value(text: str, value: object) -> None:
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


def test_not_a_number() -> None:
    found = resolve(".nan")
    assert isinstance(found, float) and math.isnan(found)


@pytest.mark.parametrize("text", TEXT, ids=lambda text: text[:20])
def test_text(text: str) -> None:
    assert resolve(text) == text
