"""libyaml's errors in plain words: code and place of each; tests/golden/policy/document.txt has the messages."""

import pytest
import yaml

from embargo.policy.syntax import explain

CASES = {  # case: (text, code, line and column from 0)
    "a tab": ("a:\n\tb: 1\n", "tab", (1, 0)),
    "a list that is never closed": ("a: [1\n", "unclosed-bracket", (0, 3)),
    "a mapping that is never closed": ("a: {b: 1\n", "unclosed-bracket", (0, 3)),
    "a bracket of the other kind": ("a: [1}\n", "unclosed-bracket", (0, 5)),
    "a wildcard": ("a: *.b\n", "yaml-syntax", (0, 4)),
    "a colon": ("a: b: c\n", "yaml-syntax", (0, 4)),
    "a key without a colon": ("a: b\nc\nd: e\n", "yaml-syntax", (1, 0)),
    "an alias that ends the text": ("a: b\n*a", "yaml-syntax", (1, 0)),
    "a control character": ("a: b\nc: \x01\n", "control-character", (1, 3)),
    "a lone surrogate's escape": ('a: "\\ud800"\n', "yaml-syntax", (0, 6)),
}


@pytest.mark.parametrize(("text", "code", "place"), CASES.values(), ids=CASES)
def test_explained(text: str, code: str, place: tuple[int, int]) -> None:
    with pytest.raises(yaml.YAMLError) as refused:
        list(yaml.parse(text.encode(), Loader=yaml.CSafeLoader))
    mistake, line, column = explain(refused.value, text)
    assert (mistake.code, (line, column)) == (code, place)
