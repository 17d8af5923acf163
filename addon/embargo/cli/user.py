"""`embargo user`: the console's accounts, from the command line, for whoever runs it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from embargo.cli.options import json_option, log_option
from embargo.cli.output import echo_json, printable, table
from embargo.journal.audit import login_user
from embargo.paths import state_directory

if TYPE_CHECKING:
    from embargo.console.access.accounts import Account, Accounts
    from embargo.console.access.database import Database

_ROLES = click.Choice(["viewer", "auditor", "operator", "admin"])


@click.group()
def command() -> None:
    """Who may use the web console. Each change is recorded in the log directory.

    Example: embargo user add alice --role auditor
    """


@command.command("add")
@click.argument("name")
@click.option("--role", type=_ROLES, required=True, help="What the account is for.")
@click.option("--proxy", "by_proxy", is_flag=True, help="Signed in by the reverse proxy, and not by a password.")
@log_option
def add(name: str, role: str, by_proxy: bool, log: Path) -> None:
    """Add an account, and print a link with which its owner chooses a password.

    Example: embargo user add alice --role auditor
    """
    from embargo.console.access.accounts import Source, checked, folded
    from embargo.console.access.rights import Role

    with _accounts() as accounts:
        name = checked(name)
        if accounts.named(name) is not None:
            _fail(f"there is an account {name!r} already")
        source = Source.PROXY if by_proxy else Source.LOCAL
        _record(log, "account-added", name, {"role": role, "source": source.value})
        account = accounts.add(name, Role(role), source, _now(), folded(name) if by_proxy else None)
        click.echo(f"added {printable(account.name)}, {role}")
        if not by_proxy:
            _link(accounts.database, account, log)


@command.command("list")
@json_option
def listing(as_json: bool) -> None:
    """List the accounts.

    Example: embargo user list
    """
    with _accounts() as accounts:
        found = accounts.all()
    if as_json:
        for account in found:
            echo_json(
                {
                    "name": account.name,
                    "role": account.role.value,
                    "source": account.source.value,
                    "disabled": account.disabled,
                    "password": account.password,
                    "second_factor": account.totp,
                    "created": datetime.fromtimestamp(account.created, UTC).isoformat(timespec="seconds"),
                }
            )
        return
    if not found:
        click.echo("no accounts; `embargo user link` prints the link that makes the first admin")
        return
    table(
        ("NAME", "ROLE", "BY", "STATE"),
        ((account.name, account.role.value, account.source.value, _state(account)) for account in found),
    )


@command.command("role")
@click.argument("name")
@click.argument("role", type=_ROLES)
@log_option
def role(name: str, role: str, log: Path) -> None:
    """Give an account another role.

    Example: embargo user role alice admin
    """
    from embargo.console.access.rights import Role

    def change(accounts: "Accounts", account: "Account") -> None:
        accounts.set_role(account, Role(role))

    _change(name, log, {"change": "role", "to": role}, change, f"now {role}")


@command.command("disable")
@click.argument("name")
@log_option
def disable(name: str, log: Path) -> None:
    """Shut an account out: its sessions end, its tokens are gone.

    Example: embargo user disable alice
    """
    _change(name, log, {"change": "disabled"}, lambda accounts, account: accounts.disable(account), "disabled")


@command.command("enable")
@click.argument("name")
@log_option
def enable(name: str, log: Path) -> None:
    """Let an account in again.

    Example: embargo user enable alice
    """

    def change(accounts: "Accounts", account: "Account") -> None:
        accounts.disable(account, disabled=False)

    _change(name, log, {"change": "enabled"}, change, "enabled")


@command.command("link")
@click.argument("name", required=False)
@click.option("--remove-second-factor", is_flag=True, help="Ask for no code any more: the device is lost.")
@log_option
def link(name: str | None, remove_second_factor: bool, log: Path) -> None:
    """Print a link with which an account's owner chooses a password; without NAME, the one that makes the first admin.

    Example: embargo user link alice
    """
    from embargo.console.access import second_factor
    from embargo.console.access.accounts import Source

    with _accounts() as accounts:
        if name is None:
            if accounts.any_admin():
                _fail("there is an admin already: name the account that the link is for")
            _link(accounts.database, None, log)
            return
        account = _known(accounts, name)
        if account.source is not Source.LOCAL or account.disabled:
            _fail(f"{account.name!r} is {_state(account)}: a link is for a local account that is not disabled")
        if remove_second_factor:
            _record(log, "account-changed", account.name, {"change": "second factor removed"})
            second_factor.remove(accounts.database, account)
        _link(accounts.database, account, log)


def _change(
    name: str,
    log: Path,
    details: dict[str, str],
    change: "Callable[[Accounts, Account], None]",
    done: str,
) -> None:
    from embargo.console.access.accounts import Refused

    with _accounts() as accounts:
        account = _known(accounts, name)
        _record(log, "account-changed", account.name, details)
        try:
            change(accounts, account)
        except Refused as refused:
            _record(log, "account-changed", account.name, details, refused=str(refused))
            raise
        click.echo(f"{printable(account.name)} is {done}")


@contextmanager
def _accounts() -> "Iterator[Accounts]":
    from embargo.console.access.accounts import Accounts, Refused
    from embargo.console.access.database import Database

    try:
        yield Accounts(Database.open(state_directory()))
    except Refused as refused:
        _fail(str(refused))
    except OSError as failure:
        where = f"{failure.filename}: " if failure.filename is not None else ""
        _fail(f"{where}{failure.strerror or failure}")


def _known(accounts: "Accounts", name: str) -> "Account":
    found = accounts.named(name)
    if found is None:
        _fail(f"there is no account {name!r}; `embargo user list` lists them")
    return found


def _link(database: "Database", account: "Account | None", log: Path) -> None:
    from embargo.console.access.links import FIRST_LIFETIME, LIFETIME, Links

    _record(log, "link-made", account.name if account is not None else None, {})
    text = Links(database).make(account, _now())
    hours = (FIRST_LIFETIME if account is None else LIFETIME) / 3_600
    what = "makes the first admin" if account is None else "sets the password"
    click.echo(f"this link {what}, once, within {hours:.0f} h:\n{database.url()}link/{text}")


def _record(log: Path, action: str, target: str | None, details: dict[str, str], refused: str | None = None) -> None:
    from embargo.journal import audit
    from embargo.journal.event import ConsoleUsed, Outcome

    event = ConsoleUsed(
        time=datetime.now(UTC),
        action=action,
        outcome=Outcome.SUCCESS if refused is None else Outcome.FAILURE,
        user=login_user(),
        target=target,
        reason=refused,
        details=details,
    )
    audit.record(log, event)


def _state(account: "Account") -> str:
    if account.disabled:
        return "disabled"
    if account.source.value != "local":
        return "signed in elsewhere"
    if not account.password:
        return "no password yet"
    return "password and code" if account.totp else "password"


def _now() -> float:
    return datetime.now(UTC).timestamp()


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(2)
