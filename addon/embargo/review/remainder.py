"""What of an app a policy does not block and why, the rule that would block it too, and what that would hit."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import Any

from embargo.core.catalogue import Role
from embargo.core.criteria import failed_criterion
from embargo.core.decision import DEFAULT_RULE, Verdict
from embargo.core.opening import openings
from embargo.core.rules import Action, AppSelector, Decrypt, Mode, Policy, Rule
from embargo.paths import SHIPPED
from embargo.policy.layers import EXCEPTIONS
from embargo.review.catalogue import AppAccount, Entry, account, posed
from embargo.review.unmet import unmet

OWN_FILE = "site.yaml"
_LONGEST_ID = 64  # characters of a rule's id
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """Endpoints that one rule lets through."""

    rule: str  # its id, or `default`
    place: str  # `domains.yaml:1673`; empty for the default
    verdict: Verdict
    why: str  # in words
    entries: tuple[Entry, ...]  # store listings apart
    listings: tuple[Entry, ...]  # those made of `stores`

    @property
    def endpoints(self) -> int:
        """How many endpoints they are, those of lists included and store listings not."""
        return sum(entry.count for entry in self.entries)

    def document(self) -> dict[str, Any]:
        """The object that `apps ID --json` prints of it."""
        return {
            "rule": self.rule,
            "place": self.place or None,
            "verdict": str(self.verdict),
            "why": self.why,
            "endpoints": [str(entry) for entry in self.entries],
            "count": self.endpoints,
            "listings": len(self.listings),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """The rule that blocks the rest, and what it would hit."""

    text: str  # YAML: an entry of `rules:`, or a whole file where there is none to put it into
    where: str  # in words
    endpoints: int  # that it would block and nothing does now, store listings not counted
    shared: tuple[str, ...]  # those of them that others use too
    listings: int  # forms of links to the app in stores
    opened: tuple[str, ...]  # names to which TLS would have to be opened for it, and is not now
    unseen: bool  # `decrypt: none`: of urls nothing is seen inside TLS, so they would pass all the same
    taken: tuple[tuple[int, str], ...]  # what another rule blocks already, and it would in its place: by which rule
    left: tuple[tuple[int, str], ...]  # what it would not block, and by which rule: those that are asked before any

    def document(self) -> dict[str, Any]:
        """The object that `apps ID --json` prints of it."""
        return {
            "yaml": self.text,
            "where": self.where,
            "hits": {
                "endpoints": self.endpoints,
                "shared": list(self.shared),
                "listings": self.listings,
                "opened": list(self.opened),
                "unseen": self.unseen,
                "taken": [{"count": count, "rule": rule} for count, rule in self.taken],
                "left": [{"count": count, "rule": rule} for count, rule in self.left],
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What is left of an app that is not blocked."""

    passing: tuple[Passing, ...]  # in the order in which their rules are asked
    remedy: Remedy | None  # None where nothing passes
    monitored: bool  # the policy is in monitor mode, so that its blocks pass too

    def document(self) -> dict[str, Any]:
        """The members that `apps ID --json` has of it."""
        return {
            "passing": [each.document() for each in self.passing],
            "remedy": self.remedy.document() if self.remedy is not None else None,
        }


def remainder(policy: Policy, found: AppAccount, time: datetime) -> Remainder:
    """What of the app in *found* passes under *policy* as of *time* (aware, UTC), for a client and user unknown.

    A policy in monitor mode is judged as if it enforced.
    """
    monitored = policy.settings.mode is Mode.MONITOR
    if monitored:
        policy = policy.varied(settings=replace(policy.settings, mode=Mode.ENFORCE))
        found = account(policy, found.app, time)
    passing = tuple(_passing(policy, found, time))
    remedy = _remedy(policy, found, passing, time) if passing else None
    return Remainder(passing=passing, remedy=remedy, monitored=monitored)


def _passing(policy: Policy, found: AppAccount, time: datetime) -> Iterator[Passing]:
    by_rule: dict[str, tuple[list[Entry], list[Entry]]] = defaultdict(lambda: ([], []))
    for place, judged in enumerate((found.entries, found.listings)):
        for entry in judged:
            if entry.verdict is not Verdict.BLOCK:
                by_rule[entry.rule][place].append(entry)
    order = [*(rule.id for rule in policy.rules), DEFAULT_RULE]
    for identifier in sorted(by_rule, key=order.index):
        entries, listings = by_rule[identifier]
        rule = next((each for each in found.rules if each.id == identifier), None)
        first = (*entries, *listings)[0]
        yield Passing(
            rule=identifier,
            place=f"{rule.layer}:{rule.line}" if rule is not None and rule.layer else "",
            verdict=first.verdict,
            why=_why(policy, found, rule, first, time),
            entries=tuple(entries),
            listings=tuple(listings),
        )


def _why(policy: Policy, found: AppAccount, rule: Rule | None, entry: Entry, time: datetime) -> str:
    """Why *rule*, or the default, decides *entry* and lets it through."""
    name, request, owner = posed(found.app, entry.endpoint, time)
    before = found.rules[: found.rules.index(rule)] if rule is not None else found.rules
    behind = found.rules[len(before) + 1 :]
    said = []
    if rule is None:
        said.append(f"no rule holds, and settings.default is {policy.settings.default}")
    else:
        said += [_meant_for(rule)] if _meant_for(rule) else []
        said += [f"its reason: {rule.reason}"] if rule.reason else []
    for each in before:
        if each.action is Action.BLOCK and not each.shadow:
            failed = failed_criterion(policy, each, owner, name, request)
            if failed in ("authority", "schedule", "from", "until", "groups", "not_groups", "users", "clients"):
                said.append(f"{each.id} does not block it: it {unmet(policy, each, owner, name, request, failed)}")
    blocking = next(
        (
            each
            for each in behind
            if each.action is Action.BLOCK
            and not each.shadow
            and failed_criterion(policy, each, owner, name, request) is None
        ),
        None,
    )
    said += [f"it stands before {blocking.id}, which would block"] if blocking is not None else []
    return "; ".join(said)


def _meant_for(rule: Rule) -> str:
    """What sort of endpoint *rule* picks out, in words; empty where it takes any."""
    words = []
    if rule.shared is not None:
        words.append("endpoints that others use too" if rule.shared else "endpoints that are the app's alone")
    if rule.roles:
        words.append(f"the role {' or '.join(sorted(rule.roles))}")
    if rule.hosts:
        words.append(f"names under {' or '.join(pattern.text for pattern in rule.hosts)}")
    return f"it is for {' and '.join(words)}" if words else ""


def _remedy(policy: Policy, found: AppAccount, passing: tuple[Passing, ...], time: datetime) -> Remedy:
    rule = Rule(id=_fresh(policy, found.app.id), apps=AppSelector(ids=frozenset({found.app.id})), action=Action.BLOCK)
    lenient = {each.rule for each in passing}
    at = next(
        (number for number, each in enumerate(policy.rules) if each.id in lenient and not each.final),
        len(policy.rules),
    )
    mended = policy.varied(rules=(*policy.rules[:at], rule, *policy.rules[at:]))
    after = account(mended, found.app, time)
    pairs = list(zip(found.entries, after.entries, strict=True))
    hit = [now for was, now in pairs if was.verdict is not Verdict.BLOCK and now.rule == rule.id]
    taken: dict[str, int] = defaultdict(int)
    for was, now in pairs:
        if was.verdict is Verdict.BLOCK and now.rule == rule.id:
            taken[was.rule] += was.count
    left: dict[str, int] = defaultdict(int)
    for entry in (*after.entries, *after.listings):
        if entry.verdict is not Verdict.BLOCK:
            left[entry.rule] += entry.count
    text, where = _spelled(policy, rule, found, at)
    decrypt = policy.settings.decrypt
    listings = sum(
        was.verdict is not Verdict.BLOCK and now.rule == rule.id
        for was, now in zip(found.listings, after.listings, strict=True)
    )
    return Remedy(
        text=text,
        where=where,
        endpoints=sum(entry.count for entry in hit),
        shared=tuple(str(entry) for entry in hit if entry.endpoint.shared),
        listings=listings,
        opened=_opened(policy, mended, time) if decrypt is Decrypt.NEEDED else (),
        unseen=decrypt is Decrypt.NONE and listings > 0,
        left=tuple((count, identifier) for identifier, count in left.items()),
        taken=tuple((count, identifier) for identifier, count in taken.items()),
    )


def _fresh(policy: Policy, app: str) -> str:
    """An id for the rule that no other has."""
    taken = {rule.id for rule in policy.rules}
    wanted = f"block-{app}"[:_LONGEST_ID]
    number = 2
    while wanted in taken:
        suffix = f"-{number}"
        wanted = f"block-{app}"[: _LONGEST_ID - len(suffix)] + suffix
        number += 1
    return wanted


def _opened(policy: Policy, mended: Policy, time: datetime) -> tuple[str, ...]:
    """The names to which TLS is opened for a verdict under *mended*, and not under *policy*."""
    before, after = (
        {opening.name for opening in openings(each, time) if opening.why.decides} for each in (policy, mended)
    )
    return tuple(sorted(after - before))


def _spelled(policy: Policy, rule: Rule, found: AppAccount, at: int) -> tuple[str, str]:
    """The rule as YAML, and where to put it so that it is asked before what lets the app through, and no earlier."""
    entry = "\n".join(_entry(rule, found))
    layers = [name for name in policy.files if PurePath(name).name != EXCEPTIONS]
    own = layers[-1] if layers and PurePath(layers[-1]).name not in SHIPPED else None
    next_rule = policy.rules[at] if at < len(policy.rules) else None
    if own is not None and next_rule is not None and next_rule.layer == own:
        return entry, f"in {own}, under `rules:`, directly before {next_rule.id} (line {next_rule.line})"
    places = [number for number, each in enumerate(policy.rules) if each.layer == own and not each.final]
    if own is not None and (not places or places[-1] < at):
        return entry, f"in {own}, under `rules:`, behind the last one"
    included = layers[-1] if layers else "domains.yaml"
    spelled = included if set(included) <= _PLAIN else json.dumps(included, ensure_ascii=False)
    text = f"version: 1\ninclude: [{spelled}]\nrules:\n{entry}"
    return text, f"in a file of your own, such as {OWN_FILE}, which then takes the place of {included}"


def _entry(rule: Rule, found: AppAccount) -> Iterator[str]:
    yield f"  - id: {rule.id}"  # begins with a letter, so it is text
    yield f"    apps: {_scalar(found.app.id)}"
    yield "    action: block"
    if any(entry.endpoint.shared and entry.verdict is not Verdict.BLOCK for entry in found.entries):
        yield "    # To spare what others use too:"
        yield "    # shared: false"
    if found.listings and found.entries:
        roles = _in_order(entry.endpoint.role for entry in found.entries if entry.endpoint.role is not Role.STORE)
        yield "    # To spare the stores:"
        yield f"    # roles: [{', '.join(roles)}]"


def _scalar(identifier: str) -> str:
    """*identifier* as YAML reads it back: quoted where it would be a number or a word of its own."""
    plain = identifier[0].isalpha() and identifier.lower() not in ("null", "true", "false")
    return identifier if plain else json.dumps(identifier)


def _in_order(roles: Iterable[Role]) -> list[Role]:
    found = set(roles)
    return [role for role in Role if role in found]
