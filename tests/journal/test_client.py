"""No part of a record leads to a masked client; what reads records copes with what is there in its place."""

import json
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embargo.core.address import parse_address
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Surface
from embargo.core.rules import Action, AppSelector, ClientForm, Group, Rule
from embargo.journal.client import truncated
from embargo.journal.ecs import Observer
from embargo.journal.event import Judged
from embargo.journal.pseudonym import FORM, Pseudonyms
from embargo.journal.query import parse_query
from embargo.journal.record import Encoder, Record

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

TRUNCATED = {
    "IPv4": ("10.1.2.3", "10.1.2.0"),
    "IPv6": ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
    "IPv4 in IPv6": ("::ffff:10.1.2.3", "10.1.2.0"),
    "no address": ("unknown", None),
}


@pytest.mark.parametrize(("client", "shown"), TRUNCATED.values(), ids=TRUNCATED)
def test_truncated(client: str, shown: str | None) -> None:
    assert truncated(client) == shown


def judged(form: ClientForm, client: str = "10.1.2.3") -> Judged:
    group = Group(id="research", clients=(ip_network("10.1.2.0/24"),))
    rule = Rule(id="banned", apps=AppSelector(all=True), action=Action.BLOCK, groups=(group,))
    return Judged(
        id="0190a1b2-0000-7000-8000-000000000001",
        time=NOW,
        decision=Decision(verdict=Verdict.BLOCK, reason=Reason.RULE, apps=("qq",), rule=rule),
        surface=Surface.CONNECT,
        connection="c",
        client=client,
        client_port=50123,
        user="alice",
        destination="qq.com",
        destination_port=443,
        client_form=form,
    )


def document(form: ClientForm, state: Path | None, client: str = "10.1.2.3"):
    pseudonyms = Pseudonyms(state, lambda: NOW) if state is not None else None
    encoder = Encoder(Observer(hostname="proxy1", version="1", pid=1), pseudonyms)
    return encoder.document(judged(form, client), sequence=1)


def test_full(tmp_path: Path) -> None:
    found = document(ClientForm.FULL, tmp_path)
    assert found["source"] == {"address": "10.1.2.3", "ip": "10.1.2.3", "port": 50123}
    assert "masked" not in found["embargo"]


def test_a_network_stands_where_no_reader_takes_it_for_an_address(tmp_path: Path) -> None:
    found = document(ClientForm.TRUNCATED, tmp_path)
    assert found["source"] == {"address": "10.1.2.0"}
    assert found["embargo"]["masked"] is True
    assert "client" not in found["embargo"]
    assert "ip" not in found["related"]
    assert found["embargo"]["group"] == ["research"]


def test_a_pseudonym(tmp_path: Path) -> None:
    found = document(ClientForm.PSEUDONYM, tmp_path)
    assert FORM.fullmatch(found["embargo"]["client"])
    assert found["source"] == {"address": found["embargo"]["client"]}
    assert found["embargo"]["masked"] is True
    assert "ip" not in found["related"]


@pytest.mark.parametrize("state", [None, "in the way"], ids=["nowhere", "no directory"])
def test_where_none_can_be_made_the_client_is_left_out(tmp_path: Path, state: str | None) -> None:
    place = tmp_path / "state"
    place.write_text("in the way")
    found = document(ClientForm.PSEUDONYM, place if state else None)
    assert "source" not in found
    assert found["embargo"]["masked"] is True


@given(
    st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.sampled_from([ClientForm.TRUNCATED, ClientForm.PSEUDONYM])
)
def test_nothing_in_the_record_is_the_client(
    tmp_path_factory: pytest.TempPathFactory, client, form: ClientForm
) -> None:
    state = tmp_path_factory.getbasetemp() / "state"
    found = document(form, state, str(client))
    text = json.dumps(found)
    if truncated(str(client)) != str(parse_address(str(client))):
        assert f'"{client}"' not in text
        assert f'"{parse_address(str(client))}"' not in text
    assert "50123" not in text
    assert Record.of(found).client == found["source"]["address"]


TERMS = {  # case: (form, term, whether it takes the record)
    "the pseudonym": (ClientForm.PSEUDONYM, "client:{client}", True),
    "in capitals": (ClientForm.PSEUDONYM, "client:{CLIENT}", True),
    "another pseudonym": (ClientForm.PSEUDONYM, "client:c1-aaaaaaaaaaaaaaaa", False),
    "the address behind it": (ClientForm.PSEUDONYM, "client:10.1.2.3", False),
    "the network": (ClientForm.TRUNCATED, "client:10.1.2.0/24", True),
    "a larger network": (ClientForm.TRUNCATED, "client:10.1.0.0/16", True),
    "the address that was truncated": (ClientForm.TRUNCATED, "client:10.1.2.3", False),
    "any client": (ClientForm.PSEUDONYM, "client:*", True),
}


@pytest.mark.parametrize(("form", "term", "taken"), TERMS.values(), ids=TERMS)
def test_searched_for(tmp_path: Path, form: ClientForm, term: str, taken: bool) -> None:
    record = Record.of(document(form, tmp_path))
    client = record.client or ""
    query = parse_query([term.format(client=client, CLIENT=client.upper())], NOW)
    assert query.matches(record) is taken
    assert parse_query(str(query).split(), NOW).matches(record) is taken
