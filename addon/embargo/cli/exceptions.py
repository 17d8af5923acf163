"""`embargo except`: grant a timed exception, list what there is, end one."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from pathlib import Path
from typing import NoReturn

import click

from embargo.cli.exception_output import COLUMNS, binding, obstacles, row, show
from embargo.cli.findings import now
from embargo.cli.loading import UNREADABLE, loaded_policy
from embargo.cli.options import Instant, json_option, log_option, policy_option
from embargo.cli.output import echo_json, echo_problems, printable, table
from embargo.cli.words import WORDS, author_option
from embargo.core.address import Network
from embargo.core.rules import Action, Basis
from embargo.journal.audit import login_user
from embargo.journal.event import Change
from embargo.paths import shipped
from embargo.policy import domains, instants
from embargo.policy.layers import exceptions_file
from embargo.policy.problem import Mistake, PolicyError
from embargo.policy.replacement import LockedFile, NotWritten, locked
from embargo.review.exception_document import plan_document, standing_document
from embargo.review.exceptions import State, standings
from embargo.review.exempting import NotGranted, Plan, Wish, end, grant, make

_REFUSED = 1  # exit: it would open nothing, or an order stands against it (DESIGN 8: findings)
_EVERYBODY = 0  # prefix length of 0.0.0.0/0 and ::/0


class Client(click.ParamType[Network]):
    """An address or a network."""

    name = "IP"

    def convert(self, value: str | Network, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        """The network that *value* spells; a usage error where it is none."""
        if not isinstance(value, str):
            return value
        try:
            return domains.network(value)
        except Mistake as mistake:
            self.fail(str(mistake), param, ctx)


class Duration(click.ParamType[timedelta]):
    """`30m`, `4h`, `2d`, `1w`."""

    name = "DURATION"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The time that *value* spells; a usage error where it is none."""
        if isinstance(value, timedelta):
            return value
        try:
            found = timedelta(seconds=instants.duration(value))
        except (Mistake, OverflowError) as mistake:
            self.fail(str(mistake), param, ctx)
        if found < timedelta(seconds=1):
            self.fail(f"{value!r} is less than a second", param, ctx)
        return found


@click.group(
    "except",
    epilog="\b\nExamples:\n  embargo except add alipay --user alice --for 4h --reason 'press review'\n"
    "  embargo except list\n  embargo except end except-20261129-alipay",
)
def command() -> None:
    """Timed exceptions: grant one, list them, end one. They stand in exceptions.yaml beside the policy."""


@command.command("add")
@click.argument("names", metavar="APP_OR_ENDPOINT...", nargs=-1, required=True)
@click.option("--client", "clients", type=Client(), multiple=True, metavar="IP", help="For this address or network.")
@click.option("--user", "users", type=WORDS, multiple=True, metavar="NAME", help="For this user.")
@click.option("--group", "groups", multiple=True, metavar="ID", help="For the members of this group of the policy.")
@click.option("--everyone", is_flag=True, help="For everyone: asked for where nobody is named.")
@click.option("--for", "duration", type=Duration(), metavar="DURATION", help="How long: 30m, 4h, 2d, 1w.")
@click.option("--until", type=Instant(), help="Until when: a date (00:00 UTC) or an RFC 3339 time.")
@click.option("--from", "since", type=Instant(), help="From when on. Default: now.")
@click.option("--reason", type=WORDS, required=True, metavar="TEXT", help="Why, for the log.")
@click.option("--approved-by", type=WORDS, metavar="NAME", help="Who approved it.")
@click.option("--ticket", type=WORDS, metavar="ID", help="Where it was asked for.")
@author_option
@click.option(
    "--basis",
    type=click.Choice([basis.value for basis in Basis]),
    help="By what right it is made, where an order in force binds the organization.",
)
@click.option(
    "--action",
    type=click.Choice([Action.LOG.value, Action.ALLOW.value]),
    default=Action.LOG.value,
    show_default=True,
    help="What the rule does.",
)
@policy_option
@log_option
@click.option("--force", is_flag=True, help="Write it though it opens nothing now.")
@click.option("--dry-run", is_flag=True, help="Show what it would open; write nothing.")
@json_option
def add(
    names: tuple[str, ...],
    clients: tuple[Network, ...],
    users: tuple[str, ...],
    groups: tuple[str, ...],
    everyone: bool,
    duration: timedelta | None,
    until: datetime | None,
    since: datetime | None,
    reason: str,
    approved_by: str | None,
    ticket: str | None,
    author: str | None,
    basis: str | None,
    action: str,
    policy: tuple[Path, ...],
    log: Path,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Let somebody use an app for a while; a running proxy follows within two seconds.

    Name apps by their ids, or places in them as `embargo apps ID` shows them: domain:example.com, host:…, url:….
    First it shows what that opens. It writes nothing where that is nothing: a final rule stands against it, or the app
    passes already. At most 366 days. The change is recorded in the log directory.

    An exception from an order that is in force and stands in settings.bound_by needs --approved-by (another than the
    author), --basis and --ticket.

    Exit 0 where it is written, 1 where it is refused, 2 where files cannot be read or written.
    Example: embargo except add alipay --user alice --for 4h --reason "press review" --ticket 4711
    """
    moment = now()
    begins = (since or moment).replace(microsecond=0)
    if since is not None and since < moment:
        raise click.UsageError("--from lies in the past: an exception does not make good what was refused")
    if (duration is None) == (until is None):
        raise click.UsageError("say how long it holds: either --for or --until")
    named = bool(clients or users or groups)
    wide = [network for network in _together(clients) if network.prefixlen == _EVERYBODY]
    if everyone and named:
        raise click.UsageError("--everyone excludes --client, --user and --group")
    if not everyone and (not named or wide):
        what = f"{wide[0]} is everyone" if wide else "nobody is named"
        raise click.UsageError(f"{what}: add --client, --user or --group, or --everyone if you mean all")
    wish = Wish(
        names=names,
        since=begins,
        until=until if until is not None else _later(begins, duration),
        reason=reason,
        author=author or login_user(),
        action=Action(action),
        clients=clients,
        users=users,
        groups=groups,
        approved_by=approved_by,
        ticket=ticket,
        basis=Basis(basis) if basis is not None else None,
    )
    with _changing(policy, wish.author) as file:
        plan = grant(policy, file.read(), wish, moment)
        refused = _obstacle(plan, force=force)
        if not as_json:
            show(plan, moment)
        if refused is not None:
            if as_json:
                echo_json(plan_document(plan, str(file.path), written=False, refused=refused))
            click.echo(f"error: {refused}; nothing was written", err=True)
            sys.exit(_REFUSED)
        trouble = None if dry_run else make(file, plan, log, author=wish.author, login=login_user(), now=now)
    _done(plan, file, written=not dry_run, trouble=trouble, as_json=as_json)


@command.command("list")
@policy_option
@click.option("--all", "every", is_flag=True, help="Those that ended, too.")
@json_option
def listing(policy: tuple[Path, ...], every: bool, as_json: bool) -> None:
    """List the exceptions that hold, and those to come, with the time that each has left.

    Example: embargo except list --all
    """
    moment = now()
    found = [
        standing
        for standing in standings(loaded_policy(policy), moment)
        if every or standing.state in (State.ACTIVE, State.UPCOMING)
    ]
    if as_json:
        for standing in found:
            echo_json(standing_document(standing))
        return
    if not found:
        click.echo("no exceptions" if every else "no exceptions hold or are to come; --all lists those that ended")
        return
    table(COLUMNS, map(row, found))
    for standing in found:
        for app, orders in standing.void_for:
            click.echo(f"warning: {standing.rule.id} does not hold for {app}: {binding(orders)}", err=True)


@command.command("end")
@click.argument("name", metavar="ID")
@click.option("--reason", type=WORDS, metavar="TEXT", help="Why it ends, for the record.")
@author_option
@policy_option
@log_option
@json_option
def ending(
    name: str, reason: str | None, author: str | None, policy: tuple[Path, ...], log: Path, as_json: bool
) -> None:
    """End an exception now. Its entry stays in exceptions.yaml, with this instant as its end.

    ID may be the beginning of an id, where no other exception's begins so. One that has not begun is disabled.

    Example: embargo except end except-20261129-alipay --reason "done early"
    """
    who = author or login_user()
    with _changing(policy, who) as file:
        plan = end(policy, file.read(), name, now())
        trouble = make(file, plan, log, author=who, login=login_user(), now=now, reason=reason)
    _done(plan, file, written=True, trouble=trouble, as_json=as_json)


@contextmanager
def _changing(policy: Sequence[Path], author: str) -> Iterator[LockedFile]:
    """The exceptions file of *policy*, while it is ours; what goes wrong is told, and ends the command."""
    if policy[-1] == shipped("domains.yaml"):
        _fail(
            f"{policy[-1]} is the shipped policy, beside which the next release would remove what is written: "
            "name one of your own with --policy; it may consist of `include: [domains.yaml]`"
        )
    path = exceptions_file(policy)
    holder = f"{author} (embargo except, process {os.getpid()}, since {now():%H:%M:%S} UTC)"
    try:
        with locked(path, holder, like=policy[-1], waiting=_wait) as file:
            if (beside := file.open_elsewhere()) is not None:
                click.echo(f"warning: {beside} shows that an editor has the file open; reload it there", err=True)
            yield file
    except PolicyError as refused:
        echo_problems(refused.problems)
        _fail("the policy does not load with this; nothing was written")
    except NotGranted as refused:
        click.echo(f"error: {refused}; nothing was written", err=True)
        sys.exit(_REFUSED)
    except Mistake as mistake:
        _fail(f"{path}: {mistake}; nothing was written")
    except ValueError as unknown:  # a name that is none of the policy's
        _fail(str(unknown))
    except NotWritten as failure:
        _fail(str(failure))


def _together(networks: Iterable[Network]) -> Iterator[Network]:
    """What *networks* are together: two halves are the whole."""
    given = list(networks)
    yield from collapse_addresses(network for network in given if isinstance(network, IPv4Network))
    yield from collapse_addresses(network for network in given if isinstance(network, IPv6Network))


def _wait(other: str) -> None:
    click.echo(f"waiting for {printable(other)}", err=True)


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(UNREADABLE)


def _later(begins: datetime, duration: timedelta | None) -> datetime:
    assert duration is not None, "one of the two is given"
    try:
        return begins + duration
    except OverflowError as far:
        raise click.BadParameter("that is further than the calendar goes", param_hint="--for") from far


def _obstacle(plan: Plan, *, force: bool) -> str | None:
    """Why *plan* is not to be carried out; None where it is."""
    if plan.against and plan.rule.lacks:
        needs = {
            "an approver other than the author": "--approved-by NAME (another than the author)",
            "a basis": "--basis license|counsel|agency-head",
            "a ticket": "--ticket ID",
        }
        options = ", ".join(needs.get(lack, lack) for lack in plan.rule.lacks)
        return f"{binding(plan.against)}, so this exception needs {options}"
    if not plan.opened and not force:
        return f"it opens nothing: {obstacles(plan)}; --force writes it all the same"
    return None


def _done(plan: Plan, file: LockedFile, *, written: bool, trouble: str | None, as_json: bool) -> None:
    if trouble is not None:
        click.echo(f"warning: {printable(trouble)}", err=True)
    if plan.failed:
        count = len(plan.failed)
        some = f"{count} of the policy's tests fail" if count > 1 else "one of the policy's tests fails"
        mended = "they are" if count > 1 else "that is"
        click.echo(f"warning: {some}, so a running proxy refuses this until {mended} mended:", err=True)
        echo_problems(plan.failed)
    if as_json:
        echo_json(plan_document(plan, str(file.path), written=written))
    elif not written:
        click.echo("nothing was written: --dry-run")
    else:
        what = "written to" if plan.change is Change.CREATION else "ended in"
        follows = "" if plan.failed else "; a running proxy follows within two seconds"
        click.echo(printable(f"{plan.rule.id} {what} {file.path}{follows}"))
