"""What each key of a query's term takes: predicates over records, and the canonical spelling of its value. Pure."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import translate
from ipaddress import ip_address, ip_network

from embargo.core.catalogue import Role
from embargo.core.decision import Verdict
from embargo.core.hostname import MalformedHost, canonical
from embargo.core.request import Surface
from embargo.journal.pseudonym import FORM
from embargo.journal.record import Record
from embargo.journal.verdict_class import CLASSES, verdict_class

_VERDICTS = tuple(str(verdict) for verdict in (Verdict.BLOCK, Verdict.LOG, Verdict.ALLOW))
# ECS event.category, as far as records have it; the last four: who used the console, and for what
_CATEGORIES = ("network", "web", "configuration", "process", "authentication", "session", "iam", "database")
_SURFACES = tuple(surface.value for surface in Surface)
_ROLES = tuple(role.value for role in Role)
_OUTCOMES = ("success", "failure", "unknown")

type Test = Callable[[Record], bool]


class BadTerm(ValueError):
    """A term that cannot be understood; says what could be meant."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term, understood."""

    key: str  # "" for a bare word
    value: str  # canonical
    sign: str = ""  # "-": must not hold; "+": must hold; "": it or another without sign and with the same key must
    test: Test = field(compare=False, repr=False, default=lambda _: True)  # of the term without its sign

    def __str__(self) -> str:
        return f"{self.sign}{self.key}:{self.value}" if self.key else f"{self.sign}{self.value}"


def understood(term: str, sign: str, key: str, value: str) -> Term:
    """The term of *key* and *value*; *term* is how it was spelt. Raises BadTerm."""
    spelt, test = READERS[key](term, value)
    return Term(key, spelt, sign, test)


def _word(_term: str, value: str) -> tuple[str, Test]:
    wanted = value.lower()
    return value, lambda record: any(wanted in host for host in record.hosts)


def matcher(value: str) -> Callable[[str], bool]:
    """A whole-text comparison, in which `*` stands for any characters; case is ignored. Behind `=` it is literal."""
    if value.startswith("="):
        literal = value[1:]
        return lambda text: text == literal
    wanted = value.casefold()
    if "*" not in wanted:
        if value.isascii():  # so that the sieve is right: no letter beyond ASCII folds into one of it
            return lambda text: text.isascii() and text.lower() == wanted
        return lambda text: text.casefold() == wanted
    pattern = re.compile(glob(wanted))
    return lambda text: pattern.match(text.casefold()) is not None


def glob(text: str) -> str:
    """A regular expression for *text* in which only `*` is special: names hold `?` and `[` in no other sense."""
    return translate(re.sub(r"[?\[]", lambda found: f"[{found[0]}]", text))


def _texts(read: Callable[[Record], tuple[str, ...]]) -> Callable[[str, str], tuple[str, Test]]:
    """A key whose value is compared with each of the texts that *read* finds."""

    def reader(_term: str, value: str) -> tuple[str, Test]:
        wanted = matcher(value)
        return value, lambda record: any(map(wanted, read(record)))

    return reader


def _some(text: str | None) -> tuple[str, ...]:
    return () if text is None else (text,)


def _authorities(record: Record) -> tuple[str, ...]:
    """Each order's id, and `ID:STATE` where its state is known."""
    return tuple(
        text for name, state in record.authorities for text in ((name,) if state is None else (name, f"{name}:{state}"))
    )


def _exact_apps(term: str, value: str) -> tuple[str, Test]:
    wanted = {app for app in value.split(",") if app}
    if not wanted:
        raise BadTerm(f"{term!r} names no app")
    return ",".join(sorted(wanted)), lambda record: set(record.apps) == wanted


def _host(term: str, value: str) -> tuple[str, Test]:
    if value.startswith("="):  # as it is written: what was refused as malformed is found, too
        return value, lambda record: value[1:] in record.hosts
    if "*" in value:
        spelt = value.lower().removesuffix(".")
        pattern = re.compile(glob(spelt))
        return spelt, lambda record: any(pattern.match(host) is not None for host in record.hosts)
    try:
        wanted = canonical(value).text
    except MalformedHost as malformed:
        raise BadTerm(f"{term!r}: {malformed}") from malformed
    below = "." + wanted
    return wanted, lambda record: any(host == wanted or host.endswith(below) for host in record.hosts)


def _client(term: str, value: str) -> tuple[str, Test]:
    if value == "*":
        return value, lambda record: record.client is not None
    if value.startswith("="):  # as it is written: a pseudonym or a masked address is one client, too
        return value, lambda record: record.client == value[1:]
    if FORM.fullmatch(pseudonym := value.lower()):
        return f"={pseudonym}", lambda record: record.client == pseudonym
    try:
        network = ip_network(value.strip("[]"), strict=False)
    except ValueError as malformed:
        raise BadTerm(f"{term!r}: {value!r} is no address and no network; write 10.1.2.3 or 10.1.0.0/16") from malformed

    def inside(record: Record) -> bool:
        if record.client is None:
            return False
        try:
            return ip_address(record.client) in network
        except ValueError:
            return False  # a pseudonym

    single = network.num_addresses == 1 and getattr(network.network_address, "scope_id", None) is None
    return (str(network.network_address) if single else str(network)), inside


def _identity(read: Callable[[Record], str | None]) -> Callable[[str, str], tuple[str, Test]]:
    def reader(term: str, value: str) -> tuple[str, Test]:
        if "*" in value:
            raise BadTerm(f"{term!r}: give it whole, * stands for nothing here")
        wanted = value.lower()
        return wanted, lambda record: (found := read(record)) is not None and found.lower() == wanted

    return reader


def _policy(_term: str, value: str) -> tuple[str, Test]:
    wanted = value.lower().rstrip("*")
    return wanted or "*", lambda record: record.policy is not None and record.policy.startswith(wanted)


def _choice(
    what: str, choices: tuple[str, ...], read: Callable[[Record], str | tuple[str, ...] | None]
) -> Callable[[str, str], tuple[str, Test]]:
    def reader(term: str, value: str) -> tuple[str, Test]:
        wanted = value.lower()
        if wanted == "*":
            return wanted, lambda record: read(record) not in (None, ())
        if wanted not in choices:
            near = get_close_matches(wanted, choices, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(choices)}"
            raise BadTerm(f"{term!r}: {value!r} is no {what}; {hint}")
        return wanted, lambda record: (found := read(record)) == wanted or (type(found) is tuple and wanted in found)

    return reader


READERS: Mapping[str, Callable[[str, str], tuple[str, Test]]] = {
    "": _word,
    "app": _texts(lambda record: record.apps),
    "client": _client,
    "user": _texts(lambda record: _some(record.user)),
    "host": _host,
    "rule": _texts(lambda record: _some(record.rule)),
    "verdict": _choice("verdict", _VERDICTS, lambda record: record.verdict),
    "would": _choice("verdict", _VERDICTS, lambda record: record.would),
    "class": _choice("class", CLASSES, lambda record: verdict_class(record.verdict, record.would, record.shared)),
    "trial": _texts(lambda record: record.trial or ()),
    "surface": _choice("surface", _SURFACES, lambda record: record.surface),
    "role": _choice("role", _ROLES, lambda record: record.role),
    "endpoint": _texts(lambda record: _some(record.endpoint)),
    "authority": _texts(_authorities),
    "policy": _policy,
    "method": _texts(lambda record: _some(record.method)),
    "status": _texts(lambda record: () if record.status is None else (str(record.status),)),
    "category": _choice("category", _CATEGORIES, lambda record: record.categories),
    "action": _texts(lambda record: (record.action,)),
    "outcome": _choice("outcome", _OUTCOMES, lambda record: record.outcome),
    "apps": _exact_apps,
    "id": _identity(lambda record: record.id),
    "connection": _identity(lambda record: record.connection),
}
