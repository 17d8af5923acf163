"""The forms of a pattern: the short one and the whole one mean the same; long lists are taken in bulk."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from embargo.core.catalogue import Endpoint, Role
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.policy.patterns import EndpointForms, ExcludeForms, endpoint_of
from sample import pattern

ENDPOINTS: TypeAdapter[Any] = TypeAdapter(EndpointForms)
FORMS: dict[str, tuple[object, Endpoint]] = {  # case: (entry, endpoint)
    "short": ("A.Example.", Endpoint(pattern("a.example"))),
    "domain": ({"domain": "a.example", "role": "cdn"}, Endpoint(pattern("a.example"), Role.CDN)),
    "whole suffix": ({"domain": "alipay", "whole_suffix": True}, Endpoint(pattern("alipay"))),
    "host": ({"host": "a.example", "shared": True}, Endpoint(pattern("host:a.example"), shared=True)),
    "url": ({"url": "A.example/X"}, Endpoint(pattern("url:a.example/x"))),
    "cidr": (
        {"cidr": "203.0.113.0/24", "port": 8080, "protocol": "tcp"},
        Endpoint(
            Pattern(
                Kind.CIDR,
                "203.0.113.0/24",
                network=pattern("cidr:203.0.113.0/24").network,
                port=8080,
                protocol=Protocol.TCP,
            )
        ),
    ),
    "user agent": ({"user_agent": "Client", "role": "client"}, Endpoint(pattern("user_agent:Client"), Role.CLIENT)),
    "on trial": ({"host": "a.example", "shadow": True}, Endpoint(pattern("host:a.example"), shadow=True)),
    "evidence, one": ({"domain": "a.example", "evidence": "e"}, Endpoint(pattern("a.example"), evidence=("e",))),
    "evidence, several": (
        {"domain": "a.example", "evidence": ["e", "f"]},
        Endpoint(pattern("a.example"), evidence=("e", "f")),
    ),
}


@pytest.mark.parametrize(("entry", "endpoint"), FORMS.values(), ids=FORMS)
def test_form(entry: object, endpoint: Endpoint) -> None:
    assert list(map(endpoint_of, ENDPOINTS.validate_python([entry]))) == [endpoint]


def test_an_exclude_is_never_on_trial() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        TypeAdapter(ExcludeForms).validate_python([{"host": "a.example", "shadow": True}])


def test_in_bulk_as_one_by_one() -> None:
    names = [f"n{number}.example" for number in range(1000)]
    assert ENDPOINTS.validate_python(names) == names
    assert ENDPOINTS.validate_python([*names, "X.Example."]) == [*names, "x.example"]
    with pytest.raises(ValidationError) as refused:
        ENDPOINTS.validate_python([*names, "co.uk", *names, "com"])
    assert [error["loc"][0] for error in refused.value.errors()] == [1000, 2001]
