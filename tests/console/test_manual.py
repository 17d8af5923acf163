"""The manual's table of rights and its reference of the API are those of the code."""

from console import manual
from embargo.console.access.rights import Right


def test_rights() -> None:
    assert manual.written(manual.CONSOLE) == manual.rights().strip(), "python -m console.manual, in tests/"
    assert set(manual.MEANINGS) == set(Right) - {Right.ANYONE}


def test_api() -> None:
    assert manual.written(manual.API) == manual.api().strip(), "python -m console.manual, in tests/"
