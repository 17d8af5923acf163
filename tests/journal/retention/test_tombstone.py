"""The tombstone: what it says, that it is signed, and what it explains."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from embargo.journal.record import Encoder, Observer
from embargo.journal.retention.extent import extent
from embargo.journal.retention.tombstone import Tombstone, deleted, explanation, tombstone, tombstone_of
from journal.retention.graveyard import NOW, Chain

KEY = Ed25519PrivateKey.generate()
OBSERVER = Observer(hostname="proxy1", version="0.1.0", pid=1)


@pytest.fixture
def stone(tmp_path: Path) -> Tombstone:
    chain = Chain(tmp_path, "decisions.2.jsonl")
    chain.rotated(800)
    file = chain.rotated(400)
    return tombstone(file, extent(file), KEY, accounted=True)


def test_it_says_what_was_there(stone: Tombstone) -> None:
    assert (stone.chain, stone.first, stone.last) == ("decisions.2", 4, 6)
    assert stone.file.startswith("decisions.2-2025")
    assert stone.holds(KEY.public_key())


def test_a_record_and_back(stone: Tombstone) -> None:
    document = Encoder(OBSERVER).document(deleted(stone, NOW, "old"), sequence=1, identifier="id")
    assert tombstone_of(document) == stone
    assert document["event"]["category"] == ["configuration"]
    assert (document["event"]["type"], document["event"]["outcome"]) == (["deletion"], "success")


OTHER = {"first": 1, "last": 9, "accounted": False, "seal": "ab" * 32, "key": "00" * 8, "signature": "AAAA"}


@pytest.mark.parametrize("name", [field.name for field in fields(Tombstone)])
def test_nothing_in_it_can_be_changed(name: str, stone: Tombstone) -> None:
    assert not replace(stone, **{name: OTHER.get(name, "another")}).holds(KEY.public_key())


def test_another_key_does_not_sign_for_it(stone: Tombstone) -> None:
    assert not stone.holds(Ed25519PrivateKey.generate().public_key())


STRANGE = {
    "no event": {},
    "another action": {"event": {"action": "block"}},
    "no tombstone": {"event": {"action": "log-deleted"}, "embargo": {}},
    "no number": {
        "event": {"action": "log-deleted"},
        "embargo": {"tombstone": {"file": "f", "chain": "c", "key": "k", "signature": "s", "first": "x", "last": 1}},
    },
    "no object": {"event": {"action": "log-deleted"}, "embargo": {"tombstone": 7}},
}


@pytest.mark.parametrize("document", STRANGE.values(), ids=STRANGE)
def test_what_is_none(document: dict[str, object]) -> None:
    assert tombstone_of(document) is None


def row(*spans: tuple[int, int, bool]) -> list[Tombstone]:
    return [
        Tombstone(
            file="f", chain="c", first=first, last=last, seal="", since="", until="", accounted=accounted, key="",
            signature="",
        )
        for first, last, accounted in spans
    ]  # fmt: skip


EXPLAINED = {  # case: (tombstones as first, last, accounted; the gap; it is explained)
    "the file": (row((1, 6, True)), (1, 6), True),
    "one too early": (row((1, 5, True)), (1, 6), False),
    "one too late": (row((1, 7, True)), (1, 6), False),
    "file by file": (row((1, 3, False), (4, 6, False)), (1, 6), True),
    "the newest alone, which is accounted for": (row((4, 6, True)), (1, 6), True),
    "the newest alone, before which something was kept": (row((4, 6, False)), (1, 6), False),
    "between two that are there": (row((1, 3, True), (7, 9, False), (10, 12, False)), (7, 12), True),
    "one in the middle was taken away": (row((1, 3, True), (7, 9, False)), (4, 9), False),
    "none": ([], (1, 6), False),
}


@pytest.mark.parametrize(("stones", "gap", "explained"), EXPLAINED.values(), ids=EXPLAINED)
def test_what_they_explain(stones: list[Tombstone], gap: tuple[int, int], explained: bool) -> None:
    found = explanation(stones, *gap)
    assert (found is not None) is explained
    assert found is None or found.last == gap[1]
