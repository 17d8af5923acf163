"""docs/reference/log-formats.md says what the formats do: its tables are held against the code."""

import re

from docs.pages import ROOT, first_cells, section
from documents import RECORDS
from embargo.core.sink import Batch
from embargo.formats import cef, eve, ocsf, syslog
from embargo.formats.catalogue import FORMATS
from embargo.formats.kind import NAMES, Kind
from embargo.sinks.batches import FORMS
from formats.cef_reader import read

PAGE = ROOT / "docs/reference/log-formats.md"


def rows(heading: str) -> list[list[str]]:
    """The cells of each row of the tables under *heading*, without their headings."""
    table = [line for line in section(PAGE, heading) if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    rules = [index for index, row in enumerate(cells) if set(row[0]) == {"-"}]
    return [row for index, row in enumerate(cells) if index not in rules and index + 1 not in rules]


def plain(cell: str) -> str:
    return cell.strip("`")


def test_formats() -> None:
    (table,) = [rows("The record in other formats")]
    assert [plain(row[0]) for row in table][: len(FORMATS)] == list(FORMATS)
    for row in table[: len(FORMATS)]:
        assert row[1] in FORMATS[plain(row[0])].standard


def test_kinds_and_severities() -> None:
    found = {plain(row[0]): tuple(row[2:6]) for row in rows("Kinds and severities")}
    assert found == {
        kind.value: (
            NAMES[kind],
            str(cef.SEVERITIES[kind]),
            str(syslog.SEVERITIES[kind]),
            str(eve.SEVERITIES.get(kind, "-")),
        )
        for kind in Kind
    }


def test_dispositions() -> None:
    said = {f"`{kind.value}`": each for kind, each in ocsf.SAID.items()} | {"`block` without an answer": ocsf.DROPPED}
    found = {row[0]: tuple(map(int, row[1:])) for row in rows("OCSF") if len(row) == 5}
    assert found == {name: (each.action, each.disposition, each.status, each.severity) for name, each in said.items()}


def test_methods() -> None:
    text = " ".join(section(PAGE, "OCSF"))
    assert [method for method, number in ocsf.METHODS.items() if f"{number} {method}" not in text] == []


def test_keys_of_cef() -> None:
    written = {key for record in RECORDS.values() for key in read(cef.write(record))[1]}
    documented = set(first_cells(section(PAGE, "CEF")))
    assert {key for key in written if not key.endswith("Label")} <= documented
    assert documented <= written | set(cef.LENGTHS) | set(cef.LABELS)
    lengths = {key: row[2] for row in rows("CEF") for key in re.findall(r"`(\w+)`", row[0])}
    assert {key: str(longest) for key, longest in cef.LENGTHS.items()} == {
        key: longest for key, longest in lengths.items() if longest
    }


def test_metadata_of_eve() -> None:
    text = "\n".join(section(PAGE, "EVE"))
    written = {key for record in RECORDS.values() for key in eve.document(record).get("alert", {}).get("metadata", ())}
    assert written <= set(re.findall(r"`(embargo_\w+)`", text))


def test_parameters_of_syslog() -> None:
    assert [plain(row[0]) for row in rows("syslog")] == list(syslog.PARAMETERS)


def test_batches() -> None:
    found = {plain(row[0]): [plain(cell) for cell in row[1:4]] for row in rows("HTTP batches")}
    assert found == {
        batch.value: [FORMS[batch].path or "/", FORMS[batch].media, f"{FORMS[batch].scheme} TOKEN"] for batch in Batch
    }
