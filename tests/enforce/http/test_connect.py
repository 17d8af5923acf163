"""CONNECT: what is remembered of one. How it is refused, `e2e/test_refusals.py` has."""

import pytest
from mitmproxy import http
from mitmproxy.test import taddons, tflow

from embargo.enforce.entries import Surfaces
from embargo.enforce.gate import Gate
from sample import app, policy, rule

ENDS = {
    "passes": ("innocent.test", None),
    "is refused": ("banned.test", None),
    "is asked for a password": ("innocent.test", 407),
}


@pytest.mark.parametrize(("host", "status"), ENDS.values(), ids=ENDS)
def test_its_headers_are_forgotten_once_it_is_settled(host: str, status: int | None) -> None:
    gate = Gate()
    gate.policy = policy([app("bad", "banned.test")], [rule("ban", "block")])
    connect = Surfaces(gate).connect
    flow = tflow.tflow()
    flow.client_conn.timestamp_end = None  # it is open
    flow.request = http.Request.make("CONNECT", f"https://{host}/", headers={"Proxy-Authorization": "Basic c2VjcmV0"})
    with taddons.context():
        connect.first(flow)
        known = gate.connection(flow.client_conn)
        assert known.asked is not None
        if status is not None:
            flow.response = http.Response.make(status)
        connect.last(flow)
    assert known.asked is None
