"""docs/reference/policy.md names every key, every word and every error code, and no other."""

import ast
import re
from enum import StrEnum

import pytest
from pydantic import BaseModel

from docs.pages import ROOT, codes, first_cells, section
from embargo.core.catalogue import Role
from embargo.core.pattern import Protocol
from embargo.core.request import Surface
from embargo.core.rules import Action, ClientForm, Decrypt, Mode, NewEndpoints, Recording, Respond
from embargo.core.sink import Batch, SinkFormat
from embargo.core.timeline import State
from embargo.policy import schema
from embargo.policy.fields import Day, Expectation, Position, QueryValues
from embargo.policy.instants import DURATIONS, SIZES
from embargo.policy.patterns import FORMS
from embargo.policy.reading import UNREADABLE

PAGE = ROOT / "docs/reference/policy.md"

SECTIONS: dict[str, type[BaseModel]] = {  # heading: the model whose keys its tables list
    "The file": schema.PolicyForm,
    "settings": schema.SettingsForm,
    "settings.log": schema.LogForm,
    "settings.log.anchors": schema.AnchorForm,
    "settings.log.sinks": schema.SinkForm,
    "settings.log.checkpoint": schema.CheckpointForm,
    "settings.privacy": schema.PrivacyForm,
    "authorities": schema.AuthorityForm,
    "apps": schema.AppForm,
    "stores": schema.StoresForm,
    "groups": schema.GroupForm,
    "rules": schema.RuleForm,
    "selectors": schema.SelectorForm,
    "schedule": schema.ScheduleForm,
    "tests": schema.TestForm,
}

WORDS: dict[str, tuple[str, type[StrEnum]]] = {  # case: (heading, the words that it must name)
    "modes": ("settings", Mode),
    "decrypt": ("settings", Decrypt),
    "new endpoints": ("settings", NewEndpoints),
    "default actions": ("settings", Action),
    "query values": ("settings.privacy", QueryValues),
    "client addresses": ("settings.privacy", ClientForm),
    "sink formats": ("settings.log.sinks", SinkFormat),
    "sink batches": ("settings.log.sinks", Batch),
    "states": ("authorities", State),
    "roles": ("patterns", Role),
    "protocols": ("patterns", Protocol),
    "actions": ("rules", Action),
    "answers": ("rules", Respond),
    "surfaces": ("rules", Surface),
    "recordings": ("rules", Recording),
    "positions": ("The file", Position),
    "days": ("schedule", Day),
    "verdicts": ("tests", Expectation),
}

# Where a call carries a problem's code: the function's name, and the position of the argument.
CARRIERS = {"Mistake": 0, "problem": 1, "_note": 1, "_stop": 1, "_warning": 2, "warning": 2, "of_rule": 1, "Problem": 3}
NOUNS = {"_word": 1, "_unknown": 4}  # these make `unknown-NOUN`


def keys(*models: type[BaseModel]) -> set[str]:
    return {field.alias or key for model in models for key, field in model.model_fields.items()}


@pytest.mark.parametrize(("heading", "model"), SECTIONS.items(), ids=SECTIONS)
def test_keys(heading: str, model: type[BaseModel]) -> None:
    documented = first_cells(section(PAGE, heading))
    assert len(documented) == len(set(documented)), "a key stands twice"
    assert set(documented) == keys(model)


def test_keys_of_patterns() -> None:
    assert set(first_cells(section(PAGE, "patterns"))) == keys(*FORMS.values())


@pytest.mark.parametrize(("heading", "words"), WORDS.values(), ids=WORDS)
def test_words(heading: str, words: type[StrEnum]) -> None:
    text = "\n".join(section(PAGE, heading))
    assert [word.value for word in words if f"`{word.value}`" not in text] == []


def test_units() -> None:
    text = "\n".join(section(PAGE, "settings.log"))
    assert [unit for unit in (*DURATIONS, *SIZES) if f"`{unit}`" not in text] == []


def error_codes() -> set[str]:
    """Every code in the sources of policy and cli; each is a literal there, or `unknown-` and a noun."""
    found = set(UNREADABLE)
    for file in (file for package in ("policy", "cli") for file in (ROOT / "addon/embargo" / package).glob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            function = call.func
            called = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
            for table, before in ((CARRIERS, ""), (NOUNS, "unknown-")):
                position = table.get(called)
                if position is not None and len(call.args) > position:
                    literals = [node.value for node in ast.walk(call.args[position]) if isinstance(node, ast.Constant)]
                    found |= {before + text for text in literals if isinstance(text, str) and _is_code(before + text)}
    return found


def _is_code(text: str) -> bool:
    return re.fullmatch(r"[a-z]+(?:-[a-z0-9]+)*", text) is not None and text != "code"


def test_error_codes() -> None:
    known = error_codes()
    assert {"unknown-role", "missing-file", "yaml-syntax", "final-rule"} <= known, "the search itself is broken"
    assert known - codes(PAGE) == set(), "not documented"


def test_no_error_codes_of_the_past() -> None:
    documented = set(first_cells(section(PAGE, "Error codes")))
    assert len(documented) > 50
    assert documented - error_codes() == set(), "documented, but nothing says it"


def test_unreadable_files_are_marked() -> None:
    marked = {cell for line in section(PAGE, "Error codes") if " ² |" in line for cell in first_cells([line])}
    assert marked == UNREADABLE
