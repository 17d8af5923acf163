"""The JSON Schema agrees with the loader in all that a schema can say, as a validator not written here reads it.

What the schema refuses, `check` refuses. What `check` refuses by one of the codes in `EXPRESSIBLE`, the schema refuses.
The tree that is validated is the loader's, so that keys and dates are text in both.
"""

import json
from contextlib import chdir
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from docs.pages import ROOT, Block, policies
from embargo.core.rules import Settings
from embargo.policy import schema
from embargo.policy.document import parse
from embargo.policy.editor import json_schema
from embargo.policy.load import load
from embargo.policy.patterns import FORMS
from embargo.policy.problem import PolicyError
from embargo.policy.reading import Source
from policy.test_fields import GOOD, MISTAKES, TEN
from policy_files import loaded, write

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
MODELS = {"PolicyForm": SCHEMA, **SCHEMA["$defs"]}
EXPRESSIBLE = {  # of others (not-a-domain, not-a-time, …) a pattern can say some: FORMS_OF_TEXT
    "unknown-key", "missing-key", "wrong-type", "empty-text", "empty-list", "wrong-id", "reserved-id", "wrong-selector",
    "wrong-contact", "wrong-url", "wrong-file", "wrong-status", "wrong-store-id", "unreadable-request",
    "unknown-version", "not-a-port", "not-hours", "not-a-duration", "not-a-size", "unknown-language", "unknown-action",
    "unknown-basis", "unknown-client", "unknown-day", "unknown-decrypt", "unknown-mode", "unknown-new-endpoints",
    "unknown-position", "unknown-protocol", "unknown-query", "unknown-record", "unknown-respond", "unknown-role",
    "unknown-state", "unknown-surface", "unknown-verdict",
}  # fmt: skip


def tree(text: str) -> Any:
    """The document in *text*, as the loader reads it."""
    return parse(Source("policy.yaml", Path("policy.yaml"), text.encode())).root


def refused(document: Any) -> list[str]:
    """Why the validator refuses *document*."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def codes(directory: Path, text: str) -> set[str]:
    """The codes by which the loader refuses *text*."""
    try:
        loaded(directory, text)
    except PolicyError as found:
        return {problem.code for problem in found.problems}
    return set()


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


# Explained: each key, each word, by an example


def keys() -> dict[str, dict[str, Any]]:
    return {f"{model}.{key}": node for model, found in MODELS.items() for key, node in found["properties"].items()}


def test_every_word_has_its_meaning() -> None:
    def enums(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for item in node for found in enums(item)]
        if not isinstance(node, dict):
            return []
        within = (value for key, value in node.items() if key != "then")  # which narrows what is described elsewhere
        return [*([node] if "enum" in node else []), *(found for value in within for found in enums(value))]

    found = enums(SCHEMA)
    assert len(found) > 20
    bare = [node["enum"] for node in found if len(node.get("enumDescriptions", [])) != len(node["enum"])]
    assert [words for words in bare if words != [403, 451, None]] == []


def test_every_key_has_an_example_unless_its_values_are_listed() -> None:
    listed = {"enum", "const", "$ref"}
    bare = [
        place
        for place, node in keys().items()
        if not node.get("examples")
        and not listed & node.keys()
        and node.get("type") not in ("boolean", "object")
        and not listed & node.get("items", {}).keys()
    ]
    assert bare == []


BASES: dict[str, dict[str, Any]] = {  # of a model: what it needs beside the key whose example is tried
    "PolicyForm": {"version": 1},
    "RuleForm": {"id": "r", "apps": "all", "action": "log"},
    "ScheduleForm": {"days": "mon"},
    "CaseForm": {"request": "a.example", "expect": "log"},
    "TestForm": {"request": "a.example", "expect": "log"},
    "AppForm": {"endpoints": ["a.example"]},
    "SelectorForm": {},
    **{
        form.__name__: {form_key: example}
        for form in FORMS.values()
        for form_key, example in {
            "domain": "a.example", "host": "a.example", "url": "a.example/x", "cidr": "10.0.0.0/8", "user_agent": "A",
        }.items()
        if form_key in form.model_fields
    },
}  # fmt: skip
SINKS: dict[str, dict[str, Any]] = {  # of a sink's key: what it needs beside it
    **{key: {"to": "https://a.example"} for key in ("batch", "token_file")},
    **{key: {"to": "/var/log/a.jsonl"} for key in ("rotate_size", "rotate_keep")},
    "index": {"to": "https://a.example", "batch": "elasticsearch"},
    "key_file": {"to": "tls://a.example", "certificate": "/etc/a.pem"},
}
ANCHORS: dict[str, dict[str, Any]] = {  # of an anchor's key: what it needs beside it
    "tls": {"syslog": "a.example"},
    **{key: {"http": "https://a.example"} for key in ("token_file", "ca_file", "certificate")},
    "key_file": {"syslog": "a.example", "tls": True, "certificate": "/etc/a.pem"},
}
CLASSES = {form.__name__: form for form in (*vars(schema).values(), *FORMS.values()) if isinstance(form, type)}


@pytest.mark.parametrize("model", MODELS)
def test_every_example_and_default_is_taken(model: str) -> None:
    validator = VALIDATOR.evolve(schema={**MODELS[model], "$defs": SCHEMA["$defs"]})
    for key, node in MODELS[model]["properties"].items():
        for value in [*node.get("examples", []), *([node["default"]] if "default" in node else [])]:
            document = BASES.get(model, {}) | {key: value}
            if model == "SinkForm":
                document = SINKS.get(key, {"to": "tls://a.example"}) | {key: value}
            if model == "AnchorForm":
                document = ANCHORS.get(key, {}) | {key: value}
            if model == "SelectorForm":
                document = {key: value}
            assert list(validator.iter_errors(document)) == [], key
            CLASSES[model].model_validate(document)


def test_the_defaults_that_are_told_are_those_in_force(tmp_path: Path) -> None:
    told = {key: node["default"] for key, node in MODELS["SettingsForm"]["properties"].items() if "default" in node}
    assert {"mode", "default", "decrypt", "unknown_protocol", "timezone", "census", "new_endpoints"} <= told.keys()
    for section, model in (("log", "LogForm"), ("privacy", "PrivacyForm")):
        properties = MODELS[model]["properties"].items()
        told[section] = {key: node["default"] for key, node in properties if "default" in node}
    bare = loaded(tmp_path / "bare", "version: 1\n").policy.settings
    written = loaded(tmp_path / "written", json.dumps({"version": 1, "settings": told})).policy.settings
    assert str(written.timezone) == str(bare.timezone)
    assert {name: getattr(written, name) for name in Settings.__dataclass_fields__ if name != "timezone"} == {
        name: getattr(bare, name) for name in Settings.__dataclass_fields__ if name != "timezone"
    }


# Agreed: valid and invalid files


@pytest.mark.parametrize("name", ["domains.yaml", "follow-the-law.yaml"])
def test_what_is_shipped_is_taken(name: str) -> None:
    assert refused(tree((ROOT / name).read_text(encoding="utf-8"))) == []


EXAMPLES = policies()


@pytest.mark.parametrize("block", EXAMPLES, ids=str)
def test_the_manuals_examples_are_taken(block: Block) -> None:
    text = f"version: 1\n{block.text}" if "fragment" in block.marks else block.text
    assert refused(tree(text)) == []


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_good_files_are_taken(text: str) -> None:
    assert refused(tree(text)) == []


@pytest.mark.parametrize("text", [*MISTAKES.values(), TEN], ids=[*MISTAKES, "ten mistakes"])
def test_mistakes(text: str, tmp_path: Path) -> None:
    found = codes(tmp_path, text)
    assert found
    if found & EXPRESSIBLE and tree(text):
        assert refused(tree(text)), found


FORMS_OF_TEXT = {  # case: text that both refuse, where a pattern can tell
    "a domain with *": "apps: {a: {endpoints: ['*.a.example']}}",
    "a domain with a dot before it": "apps: {a: {endpoints: [.a.example]}}",
    "a domain with a scheme": "apps: {a: {endpoints: ['https://a.example']}}",
    "a domain with a port": "apps: {a: {endpoints: ['a.example:80']}}",
    "a host with a path": "apps: {a: {endpoints: [{host: a.example/x}]}}",
    "an address as a domain": "apps: {a: {endpoints: ['2001:db8::1']}}",
    "a url without a path": "apps: {a: {endpoints: [{url: a.example}]}}",
    "a url with a scheme": "apps: {a: {endpoints: [{url: 'https://a.example/x'}]}}",
    "a url with * in the host": "apps: {a: {endpoints: [{url: '*.example/x'}]}}",
    "a network that is a name": "groups: {g: {clients: intranet}}",
    "a client that is a name": "tests: [{request: a.example, client: alice, expect: log}]",
    "a day without a month": "authorities: {a: {timeline: {2021-13-01: issued}}}",
    "a time without an offset": "tests: [{request: a.example, at: '2021-01-01T08:00:00', expect: log}]",
    "a day in words": "authorities: {a: {reviewed: yesterday}}",
    "a group and a client": "groups: {g: {users: a}}\n"
    "tests: [{request: a.example, group: g, client: 10.0.0.1, expect: log}]",
    "a record that is none": "rules: [{id: r, apps: all, action: log, record: half}]",
    "a query that is none": "settings: {privacy: {query: some}}",
    "a decrypt that is none": "settings: {decrypt: most}",
    "a file's name with NUL": 'include: ["a\\0b"]',
    "a right that is none": "rules: [{id: r, apps: all, action: log, basis: friendship}]",
    "a way in that is none": "settings: {new_endpoints: trial}",
    "a null where a word belongs": "settings: {mode: }",
    "an app called all": "apps: {all: {endpoints: [a.example]}}",
    "an app with nothing": "apps: {a: {name: A}}",
    "an app that extends nothing": "apps: {a: {extend: false}}",
    "a row without a request": "tests: [{expect: log, cases: [{request: a.example}, {surface: dns}]}]",
    "a row that expects nothing": "tests: [{request: a.example, cases: [{expect: log}, {surface: dns}]}]",
}
FORMS_OF_TEXT = {case: f"version: 1\n{text}\n" for case, text in FORMS_OF_TEXT.items()}


@pytest.mark.parametrize("text", FORMS_OF_TEXT.values(), ids=FORMS_OF_TEXT)
def test_forms_of_text(text: str, tmp_path: Path) -> None:
    assert codes(tmp_path, text)
    assert refused(tree(text))


def test_every_code_that_a_schema_can_say_is_met() -> None:
    texts = [*MISTAKES.values(), *FORMS_OF_TEXT.values()]
    with TemporaryDirectory() as directory:
        met = {code for text in texts for code in codes(Path(directory), text)}
    assert EXPRESSIBLE - met == set()


TAKEN = {  # case: text that both take, though it looks odd
    "another spelling of a name": "apps: {a: {endpoints: ['WWW.Ａ.example.', ' b.example ']}}",
    "a network by its mask": "groups: {g: {clients: [10.0.0.0/255.0.0.0, '::ffff:10.0.0.0/104']}}",
    "an address with its length": "tests: [{request: a.example, client: 10.0.0.1/32, expect: pass}]",
    "a time with fractions": "tests: [{request: a.example, at: '2021-01-01t08:00:00.5z', expect: pass}]",
    "a time with a blank": "tests: [{request: a.example, at: '2021-01-01 08:00:00+00:00', expect: pass}]",
    "an id that is a number": 'groups: {"1": {users: a}}',
    "store ids as text": "apps: {a: {stores: {apple: '0012', microsoft: 12345678}}}",
    "hours to the day's end": "apps: {a: {endpoints: [a.example]}}\n"
    "rules: [{id: r, apps: a, action: log, schedule: {hours: 00:00-24:00}}]",
    "an upper-case scheme": "tests: [{request: 'HTTPS://a.example', expect: pass}]",
    "no verdict": "tests: [{request: a.example, status: null, would: null, respond: null, record: null}]",
    "a url with much behind it": "apps: {a: {endpoints: [{url: 'a.example/*?a=b&c=d'}]}}",
    "a contact by telephone": "settings: {contact: 'TEL:+1-202-555-0100?x={incident}'}",
    "durations": "settings: {log: {flush: 0.5 s, rotate_size: 1.5GiB}}",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_taken_by_both(text: str, tmp_path: Path) -> None:
    whole = f"version: 1\n{text}\n"
    assert codes(tmp_path, whole) == set()
    assert refused(tree(whole)) == []


# Agreed: whatever a valid file is changed to

RICH = """\
version: 1
settings: {mode: monitor, never_decrypt: [bank.example, {cidr: 192.0.2.0/24}], contact: a@b.example, timezone: UTC,
  log: {flush: 1s, rotate_size: 1MiB}, privacy: {query: keep}}
authorities: {eo: {title: An order, url: "https://example.org/", reviewed: 2026-01-01, timeline: {2021-01-05: issued}}}
apps:
  a:
    name: A
    named_in: eo
    endpoints: [a.example, {host: h.example, role: cdn, shared: true, evidence: x}, {url: a.example/x, role: web},
      {cidr: 203.0.113.0/24, port: 80, protocol: tcp}, {user_agent: A}, {domain: b.example, shadow: true}]
    exclude: [{host: x.a.example}]
    stores: {apple: 123, google_play: [com.example.a]}
groups: {lab: {clients: [10.0.0.0/8], users: [alice]}}
rules_position: after
rules:
  - {id: r, apps: [a, {named_in: eo}], action: block, hosts: [a.example], roles: [api], shared: false, surfaces: tls,
     groups: lab, not_groups: [lab], users: [bob], clients: 10.0.0.1, authority: in-force, from: 2026-01-01,
     until: "2027-01-01T00:00:00Z", respond: [reset], shadow: true, final: false, enabled: true,
     schedule: {days: [mon], hours: "08:00-18:00", timezone: UTC}, message: {en: No., de: Nein.}, reason: x, ticket: y,
     approved_by: z, record: anonymous}
tests:
  - {request: a.example, surface: dns, client: 10.0.0.1, user: u, at: 2026-11-24, expect: log, app: a, rule: r}
  - {name: t, request: [a.example, b.example], cases: [{expect: log}, {group: lab, status: null, would: block}]}
"""
SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, 2, 80, 443, 451, 65_536, -1, 1.5, "", " ", "a", "r", "eo", "lab", "all", "default", "true",
    "block", "pass", "api", "dns", "page", "in-force", "mon", "tcp", "full", "enforce", "before", "keep", "UTC",
    "2026-11-24", "2026-13-01", "2026-11-24T08:00:00Z", "2026-11-24T08:00:00", "08:00-18:00", "08:00-08:00",
    "25:00-26:00", "24:00-01:00", "10s", "1 fortnight", "1MiB", "10.0.0.0/8", "10.0.0.1", "10.0.0.1/8", "2001:db8::/32",
    "a.example", "*.a.example", "com", "https://a.example/", "ftp://a.example/", "a.example/x", "a@b.example", "{id}",
    "com.example.a", "english", "en", "..", "x" * 70, "Ａ.example",
)  # fmt: skip
KEYS = tuple(
    sorted({key for found in MODELS.values() for key in found["properties"]} | {"a", "all", "typo", "en", "eo"})
)
values = st.recursive(
    st.sampled_from(SCALARS),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.sampled_from(KEYS), below, max_size=2),
    max_leaves=4,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything below *node*."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, value in items for found in ((*path, key), *places(value, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """A rich policy with one to three things replaced, dropped, renamed or added."""
    document = deepcopy(tree(RICH))
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(st.sampled_from(places(document) or [("version",)]))
        parent = document
        for step in above:
            parent = parent[step]
        match draw(st.sampled_from(("replace", "replace", "drop", "rename", "add"))):
            case "replace":
                parent[last] = draw(values)
            case "drop":
                del parent[last]
            case "rename" if isinstance(parent, dict):
                parent[draw(st.sampled_from(KEYS))] = parent.pop(last)
            case _ if isinstance(parent, dict):
                parent[draw(st.sampled_from(KEYS))] = draw(values)
            case _:
                parent.append(draw(values))
    return document


@settings(deadline=None, max_examples=300)  # it writes files
@given(changed())
def test_any_change_is_taken_by_both_or_refused_by_both(document: dict[str, Any]) -> None:
    """Save for what no schema can say, and there the schema is the milder one."""
    text = json.dumps(document)
    with TemporaryDirectory() as directory:
        found = codes(Path(directory), text)
    why = refused(tree(text))
    event("refused by both" if why and found else "taken by both" if not found else "refused by check alone")
    if why:
        assert found, why
    if found & EXPRESSIBLE:
        assert why, found & EXPRESSIBLE


def test_the_rich_policy_is_valid(tmp_path: Path) -> None:
    write(tmp_path, {"policy.yaml": RICH})
    with chdir(tmp_path):
        load([Path("policy.yaml")])
    assert refused(tree(RICH)) == []
