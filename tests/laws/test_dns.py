"""DNS: whatever becomes of a query's octets, nothing banned goes on, and what we answer can be read.

What goes on is read by another reader than the one that judged it (`dns_reading`), as a server would.
"""

import struct

from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import dns
from mitmproxy.test import tflow

from dns_reading import read
from dns_writing import query
from embargo.enforce.dns.questions import Dns, Questions
from embargo.enforce.gate import Gate
from sample import app, policy, rule

SEEDS = [
    query("www.banned.test"),
    query("innocent.test", "banned.test"),
    query("banned.test", edns=True),
    query("banned.test", flags=5 << 11),
    query(b"\x0bbanned.test\0"),
]
CHANGES = st.lists(
    st.tuples(st.sampled_from(["set", "insert", "delete"]), st.integers(0, 60), st.binary(min_size=1, max_size=3)),
    max_size=4,
)


def changed(message: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    """*message* after each of *changes*."""
    for how, position, octets in changes:
        end = position if how == "insert" else position + len(octets)
        message = message[:position] + (b"" if how == "delete" else octets) + message[end:]
    return message


@given(st.sampled_from(SEEDS), CHANGES)
def test_nothing_banned_goes_on(seed: bytes, changes: list[tuple[str, int, bytes]]) -> None:
    gate = Gate()
    gate.policy = policy([app("bad", "banned.test")], [rule("ban", "block")])
    hooks, flow = Dns(gate, Questions(gate)), tflow.tdnsflow()
    try:
        flow.request = dns.DNSMessage.unpack(changed(seed, changes))
    except (struct.error, ValueError, RecursionError):
        return  # mitmproxy ends the connection
    flow.response = None
    for hook in (hooks.first, hooks.last):
        gate.run(hook, flow, hooks.failed, lambda data: data.client_conn)
    assert gate.counters.errors == 0
    if flow.response is not None:
        assert read(flow.response.packed).id == flow.request.id
        return
    asked = [name.lower() for name, _, _ in read(flow.request.packed).questions]
    assert not [name for name in asked if f".{name}".endswith(".banned.test")]
