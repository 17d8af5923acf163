"""What a search box offers."""

import pytest

from embargo.console.completing import MOST, completions

VALUES = {"app": ("alipay", "qq", "wechat", "wechat-work"), "class": ("blocked", "would-block")}
CASES = {  # case: (typed, first of what is offered)
    "nothing yet": ("", "class:blocked"),
    "a key begun": ("ap", "app:"),
    "a value begun": ("app:we", "app:wechat"),
    "a value by its middle": ("app:work", "app:wechat-work"),
    "what stands before is kept": ("since:7d app:q", "since:7d app:qq"),
    "left out": ("-app:ali", "-app:alipay"),
    "in capitals": ("app:WE", "app:wechat"),
    "after a blank": ("app:qq ", "app:qq class:blocked"),
}


@pytest.mark.parametrize(("typed", "first"), CASES.values(), ids=CASES)
def test_completions(typed: str, first: str) -> None:
    found = completions(typed, VALUES)
    assert found[0] == first
    assert len(found) <= MOST


@pytest.mark.parametrize("typed", ["client:10.", "user:a", "host:qq", "zzz", "app:none"])
def test_nothing_is_offered(typed: str) -> None:
    assert completions(typed, VALUES) == []
