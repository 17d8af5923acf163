"""The JSON Schema that editors get: complete, described, and no milder or stricter on what is shipped."""

from collections.abc import Iterator
from typing import Any

import pytest

from embargo.policy.schema import PolicyForm, json_schema

SCHEMA = json_schema()


def mappings(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        for value in node.values():
            yield from mappings(value)
    elif isinstance(node, list):
        for item in node:
            yield from mappings(item)


def test_dialect() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"]


def test_every_key_is_described() -> None:
    bare = [
        f"{found.get('description', '')} {key}"
        for found in mappings(SCHEMA)
        for key, value in found["properties"].items()
        if not value.get("description")
    ]
    assert bare == []


def test_no_unknown_key_is_allowed() -> None:
    assert all(found["additionalProperties"] is False for found in mappings(SCHEMA))


def test_null_is_allowed_for_a_tests_status_alone() -> None:
    assert str(SCHEMA).count("'null'") == 0
    assert SCHEMA["$defs"]["TestForm"]["properties"]["status"]["enum"] == [403, 451, None]


KEYS = {  # model: keys
    "RuleForm": "id apps action hosts roles shared surfaces groups not_groups users clients schedule authority from"
    " until respond shadow final enabled message reason ticket approved_by record",
    "AppForm": "extend name vendor named_in endpoints endpoints_from exclude stores",
    "SettingsForm": "mode default decrypt never_decrypt unknown_protocol bound_by organization contact timezone"
    " log privacy",
    "AuthorityForm": "title jurisdiction url reviewed timeline",
    "DomainEndpoint": "role shared evidence whole_suffix domain",
}


@pytest.mark.parametrize(("model", "keys"), KEYS.items(), ids=KEYS)
def test_keys(model: str, keys: str) -> None:
    assert list(SCHEMA["$defs"][model]["properties"]) == keys.split()


def test_an_endpoint_has_a_short_form() -> None:
    forms = SCHEMA["$defs"]["AppForm"]["properties"]["endpoints"]["items"]["oneOf"]
    assert forms[0]["type"] == "string"
    assert len(forms) == 6


def test_the_top_has_every_section() -> None:
    assert set(SCHEMA["properties"]) == set(PolicyForm.model_fields)
    assert SCHEMA["required"] == ["version"]
