"""An exception from one record: what may be chosen, what was, and the plan that `review.exempting` makes of it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from ipaddress import ip_address
from typing import Any

from embargo.console.access.accounts import Account
from embargo.console.selection import instant
from embargo.console.settings import ConsoleSettings
from embargo.core.address import Network
from embargo.core.rules import Basis, Rule
from embargo.journal.audit import login_user
from embargo.journal.query import BadTerm
from embargo.journal.record import Record
from embargo.paths import shipped
from embargo.policy import domains
from embargo.policy.layers import exceptions_file
from embargo.policy.problem import Mistake, PolicyError
from embargo.policy.replacement import LockedFile, NotWritten, locked
from embargo.review.exempting import NotGranted, Plan, Wish, grant, make
from embargo.review.opened import obstacle

_SPANS = {"1h": timedelta(hours=1), "1d": timedelta(days=1)}
_LONGEST = 500  # characters of a field
_PATIENCE = 5.0  # seconds for whoever else is changing the file


class NotPossible(ValueError):
    """The exception cannot be made as it is asked for: says why."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a list to choose from."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What an exception from a record may be."""

    what: tuple[Choice, ...]  # values: `app:ID` or an endpoint, `KIND:PATTERN`
    whom: tuple[Choice, ...]
    bases: tuple[str, ...] = tuple(basis.value for basis in Basis)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What was filled in; as it is first shown where nothing was."""

    what: str = ""
    whom: str = ""
    long: str = "1h"
    until: str = ""
    reason: str = ""
    ticket: str = ""
    approved_by: str = ""
    basis: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Form":
        """The fields of a form, each on one line and of bounded length."""
        return cls(**{name: " ".join(given.get(name, "").split())[:_LONGEST] for name in cls.__slots__})

    def fields(self) -> list[tuple[str, str]]:
        """Name and value of each."""
        return [(name, getattr(self, name)) for name in self.__slots__]


def wishes(record: Record, *, everyone: bool, masked: bool = False) -> Wishes | None:
    """What may be chosen; None where the record is of no app. *masked*: whose request it was is not shown."""
    if not record.apps:
        return None
    what = [Choice(f"app:{app}", f"{app}, all of it") for app in record.apps]
    if record.endpoint is not None and record.endpoint.partition(":")[0] != "user_agent":
        kind, _, name = record.endpoint.partition(":")
        extent = f"{name} and below" if kind == "domain" else f"{record.endpoint} alone"
        what.insert(0, Choice(record.endpoint, extent))
    whom = []
    if record.user is not None:
        whom.append(Choice("user", "this user" if masked else f"the user {record.user}"))
    if _is_address(record.client) and not record.masked:
        whom.append(Choice("client", "this client" if masked else f"the client {record.client}"))
    if everyone:
        whom.append(Choice("everyone", "everyone"))
    return Wishes(what=tuple(what), whom=tuple(whom)) if whom else None


def until_of(form: Form, now: datetime, zone: tzinfo) -> datetime:
    """When it is to end. Raises NotPossible."""
    if form.long in _SPANS:
        return (now + _SPANS[form.long]).replace(microsecond=0)
    try:
        found = instant(form.until, now, zone)
    except BadTerm as bad:
        raise NotPossible(f"{form.until!r} is no time; write 2026-12-01 or 2026-12-01 18:00") from bad
    if found is None:
        raise NotPossible("say until when, or choose an hour or a day")
    return found.replace(microsecond=0)


def wish(form: Form, record: Record, account: Account, now: datetime, zone: tzinfo) -> Wish:
    """What *form* asks for. Raises NotPossible."""
    offered = wishes(record, everyone=True)
    if offered is None:
        raise NotPossible("the record names neither an app nor whose request it was")
    if form.what not in {choice.value for choice in offered.what}:
        raise NotPossible("choose what to let through")
    if form.whom not in {choice.value for choice in offered.whom}:
        raise NotPossible("choose for whom")
    if not form.reason:
        raise NotPossible("say why: the reason stands in the log")
    if form.basis and form.basis not in offered.bases:
        raise NotPossible(f"{form.basis!r} is no basis")
    try:
        clients = (domains.network(record.client),) if form.whom == "client" and record.client is not None else ()
    except Mistake as mistake:
        raise NotPossible(str(mistake)) from mistake
    return Wish(
        names=(form.what.removeprefix("app:"),),
        since=now.replace(microsecond=0),
        until=until_of(form, now, zone),
        reason=form.reason,
        author=account.name,
        clients=clients,
        users=(record.user,) if form.whom == "user" and record.user is not None else (),
        approved_by=form.approved_by or None,
        ticket=form.ticket or None,
        basis=Basis(form.basis) if form.basis else None,
    )


@contextmanager
def planned(settings: ConsoleSettings, wanted: Wish, now: datetime) -> Iterator[tuple[LockedFile, Plan]]:
    """The exceptions file while it is ours, and what *wanted* makes of it. Raises NotPossible."""
    policy = settings.policy
    if policy[-1] == shipped("domains.yaml"):
        raise NotPossible(
            f"{policy[-1]} is the shipped policy, beside which the next release would remove what is written; "
            "run the console with a policy file of your own, which may consist of `include: [domains.yaml]`"
        )
    holder = f"{wanted.author} (console, process {os.getpid()}, since {now:%H:%M:%S} UTC)"
    try:
        with locked(exceptions_file(policy), holder, like=policy[-1], patience=_PATIENCE) as file:
            yield file, grant(policy, file.read(), wanted, now)
    except PolicyError as refused:
        raise NotPossible(f"the policy does not load with this: {refused.problems[0]}") from refused
    except Mistake as mistake:
        raise NotPossible(f"{exceptions_file(policy)}: {mistake}") from mistake
    except (NotGranted, NotWritten) as refused:
        raise NotPossible(str(refused)) from refused
    except ValueError as unknown:  # a name that is none of the policy's any more
        raise NotPossible(str(unknown)) from unknown


def refusal(plan: Plan) -> str | None:
    """Why *plan* is not to be carried out; None where it is."""
    if plan.against and plan.rule.lacks:
        orders = " and ".join(plan.against)
        return f"{orders}, in force, binds this organization, so this exception needs {', '.join(plan.rule.lacks)}"
    return None if plan.opened else f"it opens nothing: {obstacles(plan)}"


def told(plan: Plan, path: str) -> dict[str, Any]:
    """*plan* for a template; *path*: the file that it would be written to."""
    return {
        "rule": plan.rule,
        "what": what(plan.rule),
        "whom": whom(plan.rule),
        "against": plan.against,
        "opened": plan.opened,
        "kept": plan.kept,
        "failed": plan.failed,
        "obstacles": obstacles(plan),
        "refused": refusal(plan),
        "file": path,
    }


def obstacles(plan: Plan) -> str:
    """Why *plan* opens nothing, in words."""
    return "; ".join(list(dict.fromkeys(obstacle(effect) for effect in plan.kept))[:3]) or "no endpoint lies there"


def carry_out(file: LockedFile, plan: Plan, settings: ConsoleSettings, account: Account) -> str | None:
    """Write it and record it; what went wrong with the second record, in words. Raises NotPossible."""
    try:
        return make(file, plan, settings.log, author=account.name, login=login_user(), now=settings.now)
    except NotWritten as failure:
        raise NotPossible(str(failure)) from failure


def whom(rule: Rule) -> str:
    """For whom *rule* is, in words."""
    named = [*sorted(rule.users), *map(_network, rule.clients), *(group.id for group in rule.groups)]
    left_out = [f"not {group.id}" for group in rule.not_groups]
    return ", ".join([*named, *left_out] if named else ["everyone", *left_out])


def what(rule: Rule) -> str:
    """What *rule* is about, in words."""
    named = [*sorted(rule.apps.ids), *(f"apps named in {order}" for order in rule.apps.named_in)]
    named += [f"apps of {vendor}" for vendor in sorted(rule.apps.vendors)]
    apps = "all apps" if rule.apps.all else ", ".join(named)
    hosts = ", ".join(f"{pattern.kind.key}:{pattern.text}" for pattern in rule.hosts)
    return f"{hosts} of {apps}" if hosts else apps


def _network(network: Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _is_address(text: str | None) -> bool:
    try:
        return text is not None and ip_address(text) is not None
    except ValueError:
        return False
