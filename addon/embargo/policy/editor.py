"""The JSON Schema of a policy file, by which an editor completes, explains and underlines.

pydantic makes it of the models; here it gets what they cannot say of themselves: which keys need one another, defaults
that a later layer merges, the meaning of each word, an example of each key.
"""

from typing import Any

from embargo.core.rules import Settings
from embargo.policy.meanings import meanings
from embargo.policy.schema import EXPECTATIONS, PolicyForm

type _Node = dict[str, Any]


def _needs(*keys: str) -> _Node:
    """One of *keys* at least."""
    return {"anyOf": [{"required": [key]} for key in keys]}


def _in_each_row(rule: _Node) -> _Node:
    """*rule*, in the test itself or in each of its rows."""
    rows = {"required": ["cases"], "properties": {"cases": {"type": "array", "items": rule}}}
    return {"anyOf": [*rule.get("anyOf", [rule]), rows]}


def _sent(schemes: str) -> _Node:
    """A sink's `to` begins with one of *schemes*."""
    return {"properties": {"to": {"pattern": f"^(?:{schemes})"}}}


_WEB, _FILE = _sent("[Hh][Tt][Tt][Pp][Ss]?://"), _sent("/")
_TLS = _sent("[Tt][Ll][Ss]://|[Rr][Ee][Ll][Pp][Ss]://|[Hh][Tt][Tt][Pp][Ss]://")
_SYSLOG = _sent("[Uu][Dd][Pp]://|[Tt][Cc][Pp]://|[Tt][Ll][Ss]://|[Rr][Ee][Ll][Pp][Ss]?://")
_ANCHOR_TLS: _Node = {
    "anyOf": [
        {"required": ["syslog", "tls"], "properties": {"tls": {"const": True}}},
        {"required": ["http"], "properties": {"http": {"pattern": "^[Hh][Tt][Tt][Pp][Ss]://"}}},
    ]
}
_SETTINGS = Settings()
_REQUIREMENTS: dict[str, _Node] = {  # of a model, beside what its fields say
    "AppForm": {
        "anyOf": [
            *_needs("endpoints", "endpoints_from", "stores")["anyOf"],
            {"required": ["extend"], "properties": {"extend": {"const": True}}},
        ]
    },
    "SinkForm": {
        "dependentSchemas": {
            **dict.fromkeys(("batch", "token_file"), _WEB),
            "index": {**_WEB, "allOf": [{"properties": {"batch": {"const": "elasticsearch"}}, "required": ["batch"]}]},
            **dict.fromkeys(("ca_file", "certificate"), _TLS),
            "key_file": {**_TLS, "required": ["certificate"]},
            **dict.fromkeys(("facility", "enterprise"), _SYSLOG),
            **dict.fromkeys(("rotate_size", "rotate_keep"), _FILE),
        },
        "if": {"required": ["batch"], "properties": {"batch": {"not": {"const": "lines"}}}},
        "then": {"properties": {"format": {"enum": ["ecs", "ocsf", "eve"]}}},
    },
    "AnchorForm": {
        "oneOf": [{"required": ["file"]}, {"required": ["syslog"]}, {"required": ["http"]}],
        "dependentSchemas": {
            "tls": {"required": ["syslog"]},
            "token_file": {"required": ["http"]},
            **dict.fromkeys(("ca_file", "certificate"), _ANCHOR_TLS),
            "key_file": {**_ANCHOR_TLS, "required": ["certificate"]},
        },
    },
    "SelectorForm": {"oneOf": [{"required": ["named_in"]}, {"required": ["vendor"]}]},
    "ScheduleForm": _needs("days", "hours"),
    "CaseForm": {"not": {"required": ["group"], **_needs("client", "user")}},
    "TestForm": {
        "allOf": [_in_each_row({"required": ["request"]}), _in_each_row(_needs(*EXPECTATIONS))],
        "not": {"required": ["group"], **_needs("client", "user")},
    },
}
_DEFAULTS: dict[str, Any] = {  # of keys that have one though the model says nothing, since layers merge
    "SettingsForm.mode": _SETTINGS.mode.value,
    "SettingsForm.default": _SETTINGS.default.value,
    "SettingsForm.decrypt": _SETTINGS.decrypt.value,
    "SettingsForm.unknown_protocol": _SETTINGS.unknown_protocol.value,
    "SettingsForm.new_endpoints": _SETTINGS.new_endpoints.value,
    "SettingsForm.census": _SETTINGS.census,
    "SettingsForm.timezone": "UTC",
    "LogForm.flush": "200ms",
    "LogForm.rotate_size": "256MiB",
    "LogForm.rotate_age": "1d",
    "LogForm.retention": "365d",
    "CheckpointForm.records": 1000,
    "CheckpointForm.age": "60s",
    "AnchorForm.tls": False,
    "SinkForm.format": "ecs",
    "SinkForm.batch": "lines",
    "SinkForm.index": "embargo",
    "SinkForm.facility": 13,
    "SinkForm.enterprise": 32473,
    "SinkForm.rotate_size": "64MiB",
    "SinkForm.rotate_keep": 7,
    "PrivacyForm.query": "redact",
    "PrivacyForm.client": "full",
    "PolicyForm.rules_position": "before",
    "RuleForm.record": "full",
}
# By key, or by model and key; other keys have those of their type. The first is what an editor puts in: editors can
# write a list of words, but not one of mappings.
_EXAMPLES: dict[str, list[Any]] = {
    "include": ["domains.yaml"],
    "organization": ["Example Corp"],
    "never_decrypt": [["bank.example"], [{"cidr": "192.0.2.0/24"}]],
    "bound_by": [["eo-13971"]],
    "title": ["Executive Order 13971"],
    "jurisdiction": ["US"],
    "name": ["Example Chat"],
    "vendor": ["Example Corp"],
    "named_in": [["eo-13971"]],
    "endpoints": [["chat.example.com"], [{"host": "login.example.net", "role": "login", "shared": True}]],
    "endpoints_from": [["lists/chat.txt"]],
    "exclude": [["partner.chat.example.com"]],
    "apple": [[333206289]],
    "google_play": [["com.example.app"]],
    "microsoft": [["9NBLGGH4SLX7"]],
    "clients": [["10.20.0.0/16"]],
    "users": [["alice"]],
    "id": ["counsel-exemption"],
    "apps": ["all", ["tencent-qq"], {"named_in": "eo-13971"}, {"vendor": "ByteDance"}],
    "hosts": [["chat.example.com"]],
    "roles": [["store"]],
    "surfaces": [["connect", "tls", "http"]],
    "groups": [["research"]],
    "not_groups": [["research"]],
    "days": [["mon", "tue", "wed", "thu", "fri"]],
    "hours": ["22:00-06:00", ["08:00-12:00", "13:00-18:00"]],
    "authority": [["in-force"]],
    "respond": [["reset", "nxdomain"]],
    "message": ["This app is not allowed on our network.", {"en": "Not at work.", "de": "Nicht bei der Arbeit."}],
    "reason": ["approved by counsel"],
    "ticket": ["LEGAL-17"],
    "approved_by": ["general counsel"],
    "author": ["network team"],
    "flush": ["200ms", "5s"],
    "rotate_age": ["1d", "12h"],
    "CheckpointForm.records": [1000],
    "CheckpointForm.age": ["60s"],
    "retention": ["365d"],
    "audit_retention": ["730d"],
    "syslog": ["siem.example.com:6514"],
    "anchors": [[{"file": "/mnt/audit/proxy1.jsonl"}]],
    "filter": ["verdict:block"],
    "index": ["embargo"],
    "enterprise": [32473],
    "rotate_keep": [7],
    "evidence": [["our proxy log, 2026-11-20"]],
    "user_agent": ["ExampleChat/"],
    "request": ["https://www.example.com/", ["www.example.com", "chat.example.com"]],
    "user": ["alice"],
    "group": ["research"],
    "app": ["tencent-qq"],
    "rule": ["banned-apps"],
    "endpoint": ["domain:alipay.com"],
    "cases": [[{"client": "10.20.0.7", "expect": "log"}, {"client": "192.0.2.1", "expect": "block"}]],
    "CaseForm.name": ["research may, others may not"],
    "TestForm.name": ["research may, others may not"],
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the policy file."""
    schema = _plain(PolicyForm.model_json_schema(by_alias=True, mode="validation"))
    for name, model in [("PolicyForm", schema), *schema["$defs"].items()]:
        model.update(_REQUIREMENTS.get(name, {}))
        for key, node in model["properties"].items():
            _explain(name, key, node)
    schema["properties"]["apps"]["propertyNames"] |= {"not": {"const": "all"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:embargo:policy:1",
        **schema,
        "title": "embargo policy",
    }


def _explain(model: str, key: str, node: _Node) -> None:
    """Give the property *key* of *model* its default and examples."""
    place = f"{model}.{key}"
    if place in _DEFAULTS:
        node["default"] = _DEFAULTS[place]
    examples = _EXAMPLES.get(place, _EXAMPLES.get(key))
    if examples is not None and not ("$ref" in node or "enum" in node or "additionalProperties" in node):
        node["examples"] = examples


def _plain(node: Any) -> Any:
    """*node* as an editor wants it: without what pydantic adds for Python's sake, with each word's meaning."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _plain(value) for key, value in node.items() if not _for_python(key, value)}
    if (patterns := kept.pop("patternProperties", None)) is not None:
        ((pattern, values),) = patterns.items()  # other keys would be let through, and nothing said of them
        kept |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values}
    if (words := kept.get("enum")) is not None and (told := meanings(words)) is not None:
        kept["enumDescriptions"] = told
        kept["markdownEnumDescriptions"] = told
    alternatives = [item for item in kept.get("anyOf", ()) if item != {"type": "null"}]
    if len(alternatives) == 1:
        del kept["anyOf"]
        return {**alternatives[0], **kept}
    if alternatives:
        kept["anyOf"] = alternatives
    return kept


def _for_python(key: str, value: Any) -> bool:
    """Whether a keyword says nothing to an editor: null as a default, nothing as one, titles made of names."""
    return (key == "default" and value in (None, [], {})) or (key == "title" and isinstance(value, str))
