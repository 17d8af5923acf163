"""pydantic's locations as paths in the document."""

from pathlib import Path

import pytest

from embargo.policy.document import parse
from embargo.policy.problem import path_text
from embargo.policy.reading import Source
from embargo.policy.rejection import MOST_PROBLEMS, document_path, validate

TEXT = "apps: {a: {endpoints: [{domain: x}, y]}}\nrules: [{apps: {vendor: v}, roles: api}]\n"
LOCATIONS = {  # case: (pydantic's location, path)
    "a tag of a union": (("apps", "a", "endpoints", 0, "\0+domain", "domain"), "apps.a.endpoints[0].domain"),
    "a tag of short text": (("apps", "a", "endpoints", 1, "\0text"), "apps.a.endpoints[1]"),
    "a position in what is no list": (("rules", 0, "roles", 0), "rules[0].roles"),
    "both": (("rules", 0, "apps", 0, "\0selector", "vendor", 0), "rules[0].apps.vendor"),
    "what is missing": (("rules", 0, "id"), "rules[0].id"),
}


@pytest.mark.parametrize(("location", "path"), LOCATIONS.values(), ids=LOCATIONS)
def test_path(location: tuple[str | int, ...], path: str) -> None:
    document = parse(Source("policy.yaml", Path("policy.yaml"), TEXT.encode()))
    assert path_text(document_path(document, location)) == path


def test_a_good_document() -> None:
    form, problems = validate(parse(Source("policy.yaml", Path("policy.yaml"), b"version: 1\n")))
    assert problems == []
    assert form is not None and form.version == 1


def test_problems_are_not_endless() -> None:
    names = ", ".join(f"n{number}..example" for number in range(MOST_PROBLEMS + 5))
    text = f"version: 1\napps: {{a: {{endpoints: [{names}]}}}}\n"
    form, problems = validate(parse(Source("policy.yaml", Path("policy.yaml"), text.encode())))
    assert form is None
    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1].message == "and 5 more problems"
