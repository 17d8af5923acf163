"""The schemas of the API's description: what is sent and answered."""

from collections.abc import Mapping
from typing import Any

from embargo.journal.verdict_class import CLASSES

type Schema = Mapping[str, Any]

_TEXT: Schema = {"type": "string"}
_SOME: Schema = {"type": ["string", "null"]}
_WHOLE: Schema = {"type": "integer"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_ANYTHING: Schema = {"type": "object"}
_TIME: Schema = {"type": "string", "format": "date-time"}


def _object(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {})},
        "additionalProperties": False,
    }


def _list(item: Schema) -> dict[str, Any]:
    return {"type": "array", "items": item}


def ref(name: str) -> Schema:
    """A schema by name."""
    return {"$ref": f"#/components/schemas/{name}"}


_HEAD: Mapping[str, Schema] = {"query": _TEXT, "snapshot": _WHOLE}
_PAGED: Mapping[str, Schema] = {**_HEAD, "next": _SOME}
_STATE: Schema = {"type": "object"}
_SUMMARY: Mapping[str, Schema] = {
    "id": _TEXT,
    "name": _TEXT,
    "vendor": _SOME,
    "endpoints": _WHOLE,
    "shared": _WHOLE,
    "authorities": _list(_STATE),
    "verdicts": {"type": "object", "additionalProperties": _WHOLE},
}
_RULE: Mapping[str, Schema] = {
    "id": _TEXT,
    "apps": _TEXTS,
    "hosts": _TEXTS,
    "clients": _TEXTS,
    "users": _TEXTS,
    "groups": _TEXTS,
    "action": _TEXT,
    "from": {"type": ["string", "null"], "format": "date-time"},
    "until": {"type": ["string", "null"], "format": "date-time"},
    "enabled": {"type": "boolean"},
    "reason": _SOME,
    "author": _SOME,
    "approved_by": _SOME,
    "ticket": _SOME,
    "basis": _SOME,
}
_WORD: Schema = {"type": "string", "minLength": 1, "maxLength": 500}
_WORDS: Schema = {"type": "array", "items": _WORD, "minItems": 1, "maxItems": 50}

SCHEMAS: Mapping[str, Schema] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457",
        "required": ["type", "title", "status", "detail"],
        "properties": {"type": _TEXT, "title": _TEXT, "status": _WHOLE, "detail": _TEXT},
    },
    "Record": {
        "type": "object",
        "description": "A record of the decision log, in ECS 8: see log-fields.md",
        "required": ["@timestamp", "event"],
        "properties": {"@timestamp": _TIME, "event": _ANYTHING},
    },
    "Records": _object({"items": _list(ref("Record")), **_PAGED}),
    "Counts": {
        **_object({**{name: _WHOLE for name in CLASSES}, "other": _WHOLE}),
        "description": "By class, which are never added up; `other` is what is no decision",
    },
    "Counted": _object({**_HEAD, "counts": ref("Counts")}),
    "Series": _object({**_HEAD, "bucket": _TEXT, "items": _list(_object({"time": _TIME, "counts": ref("Counts")}))}),
    "Top": _object(
        {
            **_HEAD,
            "by": _TEXT,
            "items": _list(_object({"value": _SOME, "query": _SOME, "counts": ref("Counts")})),
        }
    ),
    "AppSummary": _object(_SUMMARY),
    "Apps": _object({"items": _list(ref("AppSummary"))}),
    "App": {"type": "object", "required": [*_SUMMARY, "entries"], "properties": {**_SUMMARY, "entries": _list(_STATE)}},
    "Devices": _object(
        {
            **_PAGED,
            "items": _list(
                _object(
                    {
                        "client": _TEXT,
                        "app": _TEXT,
                        "users": _TEXTS,
                        "first": _TIME,
                        "last": _TIME,
                        "attempts": _WHOLE,
                        "shared": _WHOLE,
                        "days": _WHOLE,
                        "query": _TEXT,
                    }
                )
            ),
        }
    ),
    "Exception": _object(
        {**_RULE, "state": _TEXT, "left_seconds": {"type": ["integer", "null"]}, "void_for": _list(_STATE)}
    ),
    "Exceptions": _object({"items": _list(ref("Exception"))}),
    "Wish": {
        **_object(
            {"what": {**_WORDS, "description": "Apps by id, or endpoints: `domain:example.com`"}, "reason": _WORD},
            {
                "clients": {**_WORDS, "description": "Addresses or networks"},
                "users": _WORDS,
                "groups": _WORDS,
                "everyone": {"type": "boolean", "description": "Instead of clients, users and groups"},
                "for": {**_WORD, "description": "How long: `30m`, `4h`, `2d`. Either this or `until`"},
                "until": {**_WORD, "description": "A date, 00:00 UTC, or an RFC 3339 time"},
                "approved_by": _WORD,
                "ticket": _WORD,
                "basis": {"type": "string", "enum": ["license", "counsel", "agency-head"]},
                "action": {"type": "string", "enum": ["log", "allow"], "default": "log"},
                "dry_run": {"type": "boolean", "default": False},
            },
        ),
        "description": "An exception as it is asked for; whoever's token it is becomes its author",
    },
    "Ending": _object({}, {"reason": _WORD}),
    "Plan": _object(
        {
            **_RULE,
            "against": _TEXTS,
            "opens": _list(_STATE),
            "keeps": _list(_STATE),
            "file": _TEXT,
            "written": {"type": "boolean"},
            "refused": _SOME,
            "failed_tests": _TEXTS,
            "trouble": _SOME,
        }
    ),
    "Reviews": _object(
        {
            **_PAGED,
            "items": _list(
                _object({"id": _TEXT, "time": _TIME, "action": _TEXT, "by": _SOME, "note": _SOME, "details": _ANYTHING})
            ),
        }
    ),
    "Health": _object(
        {
            "findings": _TEXTS,
            "proxies": _list(
                _object(
                    {
                        "pid": {"type": ["integer", "null"]},
                        "state": _TEXT,
                        "error": _SOME,
                        "findings": _TEXTS,
                        "answer": _ANYTHING,
                    }
                )
            ),
            "store": _object(
                {
                    "records": _WHOLE,
                    "behind": {**_WHOLE, "description": "Bytes of the log that it has not read"},
                    "broken": {**_WHOLE, "description": "Lines of the log that are no records"},
                    "newest": {"type": ["string", "null"], "format": "date-time"},
                }
            ),
        }
    ),
    "Policy": _object(
        {
            "digest": _TEXT,
            "mode": _TEXT,
            "files": _TEXTS,
            "rules": _list(
                _object(
                    {
                        "id": _TEXT,
                        "action": _TEXT,
                        "enabled": {"type": "boolean"},
                        "shadow": {"type": "boolean"},
                        "exception": {"type": "boolean"},
                        "reason": _SOME,
                    }
                )
            ),
            "refused": {**_TEXTS, "description": "Why the files as they are now do not load"},
        }
    ),
    "Document": _ANYTHING,
}
