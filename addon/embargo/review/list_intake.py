"""Somebody else's lists as endpoints of an app: canonical, each with its evidence, and told where they overlap.

What is left out is counted and shown: what stands twice, what lies below another name of the list or an endpoint that
the app has, what a policy cannot say, public suffixes, lines that cannot be read. Nothing is guessed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path

from embargo.blocklists import formats
from embargo.blocklists.formats import Format
from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid
from embargo.core.catalogue import Endpoint, Role
from embargo.core.hostname import Host
from embargo.core.matcher import Entry, suffixes
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Policy
from embargo.policy.domains import cidr_pattern, domain_name, domain_pattern, host_name, network
from embargo.policy.problem import Mistake, Problem, quoted
from embargo.policy.reading import BOM, NotUtf8, read, utf8

_LARGEST = 64 * 1024 * 1024  # bytes of one list
_MOST_SAMPLES = 5  # of each kind of thing that cannot be said
_SHORTEST = {4: 8, 6: 16}  # prefix, by version: registries give nobody a larger network
_INSIDE = tuple(  # where every company's own machines are (RFC 1918, 6598, 4193; loopback, link-local, multicast)
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.168.0.0/16", "224.0.0.0/3", "::/96", "fc00::/7", "fe80::/10", "ff00::/8"),
        ),
    )
)


class Overlap(StrEnum):
    """How a name of a list meets what the policy has."""

    SAME = "the same endpoint as"  # of another app: both own it
    BELOW = "taken out of"  # another app's domain covers it: the more specific one wins
    ABOVE = "covers"  # another app's endpoint lies below it
    EXCLUDED = "excluded by"  # this app excludes it, or what it lies below


@dataclass(frozen=True, slots=True)
class Meeting:
    """A name of a list, and what it meets."""

    endpoint: Endpoint
    overlap: Overlap
    app: str
    other: str  # KIND:PATTERN


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadList:
    """A list that was read."""

    name: str  # as it was named
    format: Format
    source: str  # what evidence calls it
    day: date  # that it says it was made, else that the file was written
    items: tuple[Item, ...]


@dataclass(slots=True)
class Intake:
    """What becomes of some lists."""

    endpoints: list[Endpoint] = field(default_factory=list)
    exclude: list[Endpoint] = field(default_factory=list)
    duplicates: int = 0  # stand twice in the lists
    covered: int = 0  # lie below another name of the lists
    known: list[str] = field(default_factory=list)  # that the app has already, or lie below one of its own
    meetings: list[Meeting] = field(default_factory=list)
    unsaid: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)  # by the word of `unsaid`: `FILE:LINE:COLUMN: TEXT`
    problems: list[Problem] = field(default_factory=list)  # lines that cannot be read, and public suffixes
    notes: dict[str, int] = field(default_factory=dict)  # how something was read, and how often


def read_list(
    path: Path, *, form: Format | None = None, source: str | None = None, service: str | None = None
) -> ReadList:
    """The list at *path*; its format by what it holds, or *form*. *source*: what evidence calls it.

    Raises Mistake where it cannot be read, NotUtf8, and ChooseService.
    """
    text = _text(path)
    known = form or formats.detect(text)
    head = formats.header(text)
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
    items = tuple(formats.items(text, str(path), known, lambda name: _beside(path, name), service))
    called = _shown(source or head.title or path.name)
    return ReadList(name=str(path), format=known, source=called, day=head.day or written, items=items)


def _shown(text: str) -> str:
    """*text* as evidence has it: without what drives terminals, and bytes of file names that are no text replaced."""
    whole = text.encode(errors="surrogateescape").decode(errors="replace")
    return "".join(character for character in whole if character.isprintable())


def _text(path: Path) -> str:
    data = read(str(path), path, _LARGEST, hint="import it in parts").data.removeprefix(BOM)
    if b"\0" in data:
        raise Mistake("binary-file", "the file holds a NUL byte", "is this a text file?")
    return utf8(data)


def _beside(path: Path, name: str) -> tuple[str, str] | str:
    """The list *name* in the directory of *path*, or why there is none."""
    found = path.parent / name
    try:
        return str(found), _text(found)
    except (Mistake, NotUtf8) as refused:
        return str(refused)


def take_in(
    lists: Sequence[ReadList], policy: Policy, app: str, *, exact: bool | None = None, shadow: bool = False
) -> Intake:
    """The *lists* as endpoints of *app*, which *policy* need not have.

    *exact*: names are those names alone (False: with all below); None: as each format has it. *shadow*: on trial.
    """
    intake = Intake()
    found: dict[Pattern, Endpoint] = {}
    excluded: dict[Pattern, Endpoint] = {}
    for one in lists:
        for item in one.items:
            match item:
                case Unsaid():
                    intake.unsaid[item.what] += 1
                    samples = intake.samples.setdefault(item.what, [])
                    if len(samples) < _MOST_SAMPLES:
                        samples.append(f"{item.place}: {item.text[:120]}")
                case Broken():
                    intake.problems.append(_problem(item.place, "unreadable-line", item.why))
                case Listed():
                    _take(intake, one, item, excluded if item.excluded else found, exact=exact, shadow=shadow)
    intake.exclude = list(excluded.values())
    kept = _without_covered(intake, found)
    intake.endpoints = [endpoint for endpoint in kept if not _is_known(intake, policy, app, endpoint)]
    below = _below(policy, app)
    intake.meetings = [meeting for endpoint in intake.endpoints for meeting in _meetings(policy, app, endpoint, below)]
    return intake


def _take(
    intake: Intake, one: ReadList, item: Listed, into: dict[Pattern, Endpoint], *, exact: bool | None, shadow: bool
) -> None:
    kind = item.kind
    if exact is not None and kind is not Kind.CIDR:
        kind = Kind.HOST if exact else Kind.DOMAIN
    try:
        pattern = _pattern(kind, item.text)
    except Mistake as mistake:
        intake.problems.append(_problem(item.place, mistake.code, mistake.message))
        return
    if item.note:
        intake.notes[item.note] = intake.notes.get(item.note, 0) + 1
    if pattern in into:
        intake.duplicates += 1
        return
    attributes = "".join(f" @{attribute}" for attribute in item.attributes)
    evidence = _shown(f"{one.source}, {one.day}: {Path(item.place.file).name} line {item.place.line}{attributes}")
    tried = shadow and not item.excluded
    into[pattern] = Endpoint(pattern, item.role or Role.API, evidence=(evidence,), shadow=tried)


def _pattern(kind: Kind, text: str) -> Pattern:
    if kind is Kind.CIDR:
        found = network(text)
        if found.prefixlen < _SHORTEST[found.version]:
            raise Mistake("nobodys-network", f"{quoted(text)} is larger than what anybody has: strangers are in it")
        if any(found.version == own.version and found.overlaps(own) for own in _INSIDE):
            raise Mistake("nobodys-network", f"{quoted(text)} is for networks of one's own, as this one may be")
        return cidr_pattern(found, None, None)
    return domain_pattern(domain_name(text)) if kind is Kind.DOMAIN else Pattern(Kind.HOST, host_name(text))


def _problem(place: Place, code: str, message: str) -> Problem:
    return Problem(place.file, place.line, place.column, code, "", message)


def _without_covered(intake: Intake, found: dict[Pattern, Endpoint]) -> Iterator[Endpoint]:
    """The endpoints that no other one covers, whose role is the same."""
    domains = {pattern.text: endpoint.role for pattern, endpoint in found.items() if pattern.kind is Kind.DOMAIN}
    kept = []
    for pattern, endpoint in found.items():
        if pattern.kind is not Kind.CIDR:
            above = suffixes(pattern.text)[1:] if pattern.kind is Kind.DOMAIN else suffixes(pattern.text)
            covering = next((domain for domain in above if domain in domains), None)
            if covering is not None and domains[covering] is endpoint.role:
                intake.covered += 1
                continue
        kept.append(endpoint)
    return iter(kept)


def _is_known(intake: Intake, policy: Policy, app: str, endpoint: Endpoint) -> bool:
    """Whether *app* has it already: the same, or a domain above it that is not excluded and not shared."""
    for entry in _entries(policy, endpoint.pattern):
        if entry.app == app and not entry.excluded and not entry.endpoint.shared:
            best = entry.endpoint
            intake.known.append(f"{endpoint}: {best}" if str(best) != str(endpoint) else str(endpoint))
            return True
    return False


def _entries(policy: Policy, pattern: Pattern) -> Iterable[Entry]:
    """The endpoints and excludes that cover all of *pattern*, the most specific first."""
    if pattern.kind is Kind.CIDR:
        entries = policy.matcher.entries_of_host(_host(pattern))
        own = [entry for entry in entries if entry.endpoint.pattern.network is not None]
        covering = [entry for entry in own if _at_most(entry, pattern)]
    else:
        entries = policy.matcher.entries_of_host(_host(pattern))
        covering = [
            entry
            for entry in entries
            if entry.endpoint.pattern.kind is Kind.DOMAIN or entry.endpoint.pattern == pattern
        ]
    return sorted(covering, key=lambda entry: entry.rank, reverse=True)


def _at_most(entry: Entry, pattern: Pattern) -> bool:
    assert entry.endpoint.pattern.network is not None and pattern.network is not None
    return entry.endpoint.pattern.network.prefixlen <= pattern.network.prefixlen


def _host(pattern: Pattern) -> Host:
    if pattern.network is not None:
        return Host(str(pattern.network.network_address), pattern.network.network_address)
    return Host(pattern.text)


def _below(policy: Policy, app: str) -> dict[str, list[tuple[str, str]]]:
    """The endpoints of other apps by each domain that they lie below: app and KIND:PATTERN."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for other in policy.apps.values():
        for endpoint in other.endpoints if other.id != app else ():
            pattern = endpoint.pattern
            if pattern.kind in (Kind.DOMAIN, Kind.HOST, Kind.URL):
                for domain in suffixes(pattern.host or pattern.text)[1:]:
                    found[domain].append((other.id, str(endpoint)))
    return found


def _meetings(
    policy: Policy, app: str, endpoint: Endpoint, below: dict[str, list[tuple[str, str]]]
) -> Iterator[Meeting]:
    pattern = endpoint.pattern
    for entry in _entries(policy, pattern):
        other = str(entry.endpoint)
        if entry.excluded:
            if entry.app == app:
                yield Meeting(endpoint, Overlap.EXCLUDED, app, other)
        elif entry.app != app:
            same = entry.endpoint.pattern == pattern
            yield Meeting(endpoint, Overlap.SAME if same else Overlap.BELOW, entry.app, other)
    if pattern.kind is Kind.DOMAIN:
        for owner, other in below.get(pattern.text, ()):
            yield Meeting(endpoint, Overlap.ABOVE, owner, other)
