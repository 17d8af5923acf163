"""The map of addresses to users: lines of `address,user,from,until`, as DHCP, VPN or a directory gives them.

CSV as in RFC 4180, each record on one line; a first line of column names may order them otherwise. Blank lines and
those that begin with `#` do not count.
"""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_network

from embargo.core.address import Network
from embargo.core.forwarded import LONGEST_USER, is_user
from embargo.core.identities import Assignment, Identities
from embargo.policy.instants import instant
from embargo.policy.problem import Mistake, PolicyError, Problem, nearest, quoted
from embargo.policy.reading import BOM, NotUtf8, utf8

COLUMNS = ("address", "user", "from", "until")
MOST_PROBLEMS = 20  # that are told of one file; a wrong file has one a line
LARGEST = 16 * 1024 * 1024  # bytes: some 250,000 lines, 5 s beside the traffic (measured: 20 µs a line)


def parse_identities(data: bytes, file: str) -> Identities:
    """The map in *data*. Raises PolicyError with each problem's place in *file*."""
    try:
        text = utf8(data.removeprefix(BOM))
    except NotUtf8 as refused:
        mistake = refused.mistake
        place = (file, refused.line, refused.column)
        raise PolicyError([Problem(*place, mistake.code, "", mistake.message, mistake.hint)]) from None
    assignments: list[Assignment] = []
    problems: list[Problem] = []
    order: tuple[str, ...] = COLUMNS
    first = True
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            cells = _cells(line)
            if first and cells[0][1].lower() in COLUMNS:
                order = _columns(cells)
            else:
                assignments.append(_assignment(cells, order))
        except _Misplaced as found:
            mistake = found.mistake
            problems.append(Problem(file, number, found.column, mistake.code, "", mistake.message, mistake.hint))
            if len(problems) == MOST_PROBLEMS:
                problems.append(Problem(file, number, found.column, "more-problems", "", "the rest was not read"))
                break
        first = False
    if problems:
        raise PolicyError(problems)
    return Identities(assignments)


type _Cell = tuple[int, str]  # column of its first character, from 1; the text without quotes


class _Misplaced(Exception):
    """A mistake, and the column in which it stands."""

    def __init__(self, column: int, mistake: Mistake) -> None:
        self.column, self.mistake = column, mistake
        super().__init__(str(mistake))


def _cells(line: str) -> list[_Cell]:
    """The cells of *line*, at least one. Raises _Misplaced."""
    cells: list[_Cell] = []
    at = 0
    while True:
        while line[at : at + 1] in (" ", "\t"):
            at += 1
        if line[at : at + 1] != '"':
            end = line.find(",", at)
            end = len(line) if end < 0 else end
            cells.append((at + 1, line[at:end].strip()))
        else:
            start, end, text = at, at + 1, ""
            while True:
                close = line.find('"', end)
                if close < 0:
                    raise _Misplaced(start + 1, Mistake("not-csv", "a quote that does not end on this line"))
                text += line[end:close]
                if line[close + 1 : close + 2] != '"':
                    break
                text, end = text + '"', close + 2  # a doubled quote stands for one
            cells.append((start + 1, text))
            end = close + 1
            while line[end : end + 1] in (" ", "\t"):
                end += 1
            if end < len(line) and line[end] != ",":
                raise _Misplaced(end + 1, Mistake("not-csv", f"found {quoted(line[end:])} behind a quote"))
        if end >= len(line):
            return cells
        at = end + 1


def _columns(cells: list[_Cell]) -> tuple[str, ...]:
    """The order of columns that a line of names gives. Raises _Misplaced."""
    names: list[str] = []
    for column, text in cells:
        name = text.lower()
        if name not in COLUMNS:
            message = f"found {quoted(text)}, allowed are {', '.join(COLUMNS)}"
            raise _Misplaced(column, Mistake("unknown-column", message, nearest(name, COLUMNS)))
        if name in names:
            raise _Misplaced(column, Mistake("duplicate-column", f"{quoted(name)} stands here twice"))
        names.append(name)
    for name in COLUMNS[:2]:
        if name not in names:
            raise _Misplaced(cells[0][0], Mistake("missing-column", f"there is no column {quoted(name)}"))
    return tuple(names)


def _assignment(cells: list[_Cell], order: tuple[str, ...]) -> Assignment:
    if len(cells) > len(order):
        raise _Misplaced(
            cells[len(order)][0], Mistake("too-many-cells", f"found {len(cells)} cells, allowed are {', '.join(order)}")
        )
    last = cells[-1][0] + len(cells[-1][1])
    given = dict(zip(order, cells, strict=False))
    for name in COLUMNS[:2]:
        if name not in given:
            raise _Misplaced(last, Mistake("missing-cell", f"there is no {name}"))
    network = _network(*given["address"])
    column, user = given["user"]
    if not is_user(user):
        raise _Misplaced(
            column, Mistake("not-a-user", f"found {quoted(user)}, expected 1 to {LONGEST_USER} printable characters")
        )
    start, end = _time(given, "from"), _time(given, "until")
    if start is not None and end is not None and start >= end:
        raise _Misplaced(given["until"][0], Mistake("ends-before-it-begins", "until is not after from"))
    return Assignment(network, user, start, end)


def _network(column: int, text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError as refused:
        hint = ""
        with contextlib.suppress(ValueError):
            hint = f"did you mean {ip_network(text, strict=False)}?"
        message = f"found {quoted(text)}, expected an address or a network such as 10.20.0.0/16"
        raise _Misplaced(column, Mistake("not-a-network", message, hint)) from refused
    if network.version == 6 and network.prefixlen >= 96 and (mapped := network.network_address.ipv4_mapped) is not None:
        return ip_network(f"{mapped}/{network.prefixlen - 96}")  # clients of a dual-stack listener are known as IPv4
    return network


def _time(given: Mapping[str, _Cell], name: str) -> datetime | None:
    column, text = given.get(name, (0, ""))
    if not text:
        return None
    try:
        return instant(text)
    except Mistake as mistake:
        raise _Misplaced(column, mistake) from None
