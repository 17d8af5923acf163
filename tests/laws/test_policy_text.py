"""Laws of reading: whatever a file holds, a policy comes of it or problems do, and never anything else."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from embargo.policy.cases import cases_of, run
from embargo.policy.lint import lint
from embargo.policy.problem import PolicyError
from policy_files import loaded
from sample import NOW

TEXT = b"""\
version: 1
settings: {timezone: Europe/Berlin, never_decrypt: [bank.example, {cidr: 192.0.2.0/24}], log: {flush: 200ms}}
authorities: {eo: {title: The Order, reviewed: 2026-11-24, timeline: {2021-01-05: issued, 2021-02-19: in-force}}}
apps:
  a:
    named_in: eo
    endpoints:
      - {domain: a.example, role: cdn, shared: true, evidence: [somewhere]}
      - {url: "u.example/*/x?k=v"}
      - {cidr: "2001:db8::/32", port: 443, protocol: udp}
    exclude: [open.a.example]
    stores: {apple: [333206289], google_play: [com.example.app]}
  b: {endpoints_from: [list.txt], endpoints: [b.example, &x c.example, *x]}
groups: {g: {clients: [10.0.0.0/8], users: [alice]}}
rules:
  - {id: r, apps: [a, {named_in: eo}], action: block, groups: g, from: 2021-02-19, until: 2099-01-01,
     message: {de: Nein}}
  - {id: s, apps: all, action: log, schedule: {days: [mon], hours: "22:00-06:00"}, hosts: [{url: u.example/y}]}
tests:
  - {request: "https://a.example/", expect: block, user: alice}
"""
PIECES = (
    b"*a", b"&a ", b"!x ", b"<<: ", b"{", b"}", b"[", b"]", b": ", b"- ", b"\n", b"\t", b"'", b'"', b"#", b"|",
    b"? ", b"{}", b"[]",
    b"---\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"null", b"no", b"5", b"[key]", b'"\\0domain"', b"all",
)  # fmt: skip
edits = st.lists(
    st.tuples(st.integers(0, len(TEXT)), st.integers(0, 40), st.sampled_from(PIECES) | st.binary(max_size=3)),
    max_size=5,
)


@settings(deadline=None)  # it writes files
@given(edits)
@example([])
@example([(0, 0, b'"\\0domain": 1\n')])
@example([(0, 0, b'"[key]": 1\n')])
@example([(len(TEXT), 0, b"*a")])
def test_a_damaged_policy_loads_or_has_problems(changes: list[tuple[int, int, bytes]]) -> None:
    """Each problem has a place in the file, a code and a message; what loads can be linted and tested."""
    text = TEXT
    for position, cut, piece in changes:
        text = text[:position] + piece + text[position + cut :]
    with TemporaryDirectory() as directory:
        try:
            found = loaded(Path(directory), {"policy.yaml": text, "list.txt": "l.example\n"})
        except PolicyError as refused:
            event("problems")
            lines = text.count(b"\n") + text.count(b"\r") + 1
            assert refused.problems
            for problem in refused.problems:
                assert 1 <= problem.line <= lines
                assert problem.column >= 1
                assert problem.code and problem.message
        else:
            event("loads")
            lint(found, NOW)
            run(found, list(cases_of(found)), NOW)


@settings(deadline=None)
@given(edits.map(lambda changes: [piece for _, _, piece in changes]), st.integers(0, 30))
def test_a_damaged_list_loads_or_has_problems(pieces: list[bytes], position: int) -> None:
    """The same for a plain list of domains."""
    text = b"# a list\na.example\nb.example # b\n"
    text = text[:position] + b"".join(pieces) + text[position:]
    with TemporaryDirectory() as directory:
        policy = "version: 1\napps: {a: {endpoints_from: [list.txt]}}\n"
        try:
            found = loaded(Path(directory), {"policy.yaml": policy, "list.txt": text})
        except PolicyError as refused:
            assert {problem.file for problem in refused.problems} == {"list.txt"}
        else:
            assert found.policy.lists[0].count == len(found.files.lists[0].names)
