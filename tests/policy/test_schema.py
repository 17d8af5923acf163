"""The JSON Schema that editors get: complete, described, and no milder or stricter on what is shipped."""

import pytest

from embargo.policy import schema
from embargo.policy.editor import json_schema
from embargo.policy.patterns import FORMS
from embargo.policy.schema import PolicyForm

SCHEMA = json_schema()


MODELS = {"PolicyForm": SCHEMA, **SCHEMA["$defs"]}


def test_dialect() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["$id"]


def test_every_key_is_described() -> None:
    bare = [
        f"{found.get('description', '')} {key}"
        for found in MODELS.values()
        for key, value in found["properties"].items()
        if not value.get("description")
    ]
    assert bare == []


def test_no_unknown_key_is_allowed() -> None:
    assert all(found["additionalProperties"] is False for found in MODELS.values())


def test_null_is_allowed_for_a_tests_status_alone() -> None:
    assert str(SCHEMA).count("'null'") == 0
    assert SCHEMA["$defs"]["TestForm"]["properties"]["status"]["enum"] == [403, 451, None]


@pytest.mark.parametrize("model", MODELS)
def test_keys(model: str) -> None:
    forms = {form.__name__: form for form in (*vars(schema).values(), *FORMS.values()) if isinstance(form, type)}
    fields = forms[model].model_fields
    assert list(MODELS[model]["properties"]) == [field.alias or key for key, field in fields.items()]


def test_an_endpoint_has_a_short_form() -> None:
    forms = SCHEMA["$defs"]["AppForm"]["properties"]["endpoints"]["items"]["oneOf"]
    assert forms[0]["type"] == "string"
    assert len(forms) == 6


def test_the_top_has_every_section() -> None:
    assert set(SCHEMA["properties"]) == set(PolicyForm.model_fields)
    assert SCHEMA["required"] == ["version"]
