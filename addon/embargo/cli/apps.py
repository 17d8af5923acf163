"""`embargo apps`: the catalogue, and one app of it in full."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import click

from embargo.cli.list_import import importing
from embargo.cli.loading import loaded_policy
from embargo.cli.options import at_option, json_option, policy_option
from embargo.cli.output import echo_json, printable, table, verdict_style
from embargo.cli.own_app import new
from embargo.core.decision import Verdict
from embargo.policy.problem import nearest
from embargo.review.catalogue import AppAccount, Entry, account, accounts
from embargo.review.remainder import remainder
from embargo.review.remaining import folded, remaining
from embargo.review.unmet import when

COLUMNS = ("id", "name", "endpoints", "shared", "orders", "verdict")


class _Apps(click.Group):
    """A group whose `show` may be left out: `embargo apps alipay` is `embargo apps show alipay`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` before what begins with no other command."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Apps,
    epilog="""\b
Examples:
  embargo apps
  embargo apps alipay --at 2021-03-01
  embargo apps show new
  embargo apps new --id filedrop --domain filedrop.example --action block
  embargo apps import data/zoom --id zoom""",
)
def command() -> None:
    """The catalogue, one app of it, an app of your own, and lists of others.

    `embargo apps` and `embargo apps ID` are `embargo apps show` and `embargo apps show ID`.
    """


@command.command("show", epilog="Example: embargo apps alipay --at 2021-03-01")
@click.argument("app", metavar="[ID]", required=False)
@policy_option
@at_option
@json_option
def show(app: str | None, policy: tuple[Path, ...], at: datetime, as_json: bool) -> None:
    """List the catalogue, or show the app ID in full: endpoints, evidence, authorities.

    A verdict is what an endpoint gets from a client and user that are unknown, as of --at. Of one app it says too what
    is not blocked and why, the rule to paste that blocks the rest, and what that would hit.
    """
    judged = loaded_policy(policy)
    if app is None:
        listed = accounts(judged, at)
        if as_json:
            for each in listed:
                echo_json(each.summary())
        else:
            table(COLUMNS, [_row(each) for each in listed])
        return
    if app not in judged.apps:
        hint = nearest(app, judged.apps)
        raise click.UsageError(f"no app {app!r}; {hint or '`embargo apps` lists them'}")
    found = account(judged, judged.apps[app], at)
    rest = remainder(judged, found, at)
    if as_json:
        echo_json({**found.document(), **rest.document()})
    else:
        _echo_account(found)
        for line in remaining(rest):
            click.echo(printable(line))


def _row(each: AppAccount) -> list[str]:
    orders = ", ".join(f"{held.authority.id} {held.state or 'not yet'}" for held in each.held)
    return [each.app.id, each.app.name, str(each.endpoints), str(each.shared), orders or "-", _counts(each.verdicts)]


def _counts(verdicts: Mapping[Verdict, int]) -> str:
    if len(verdicts) == 1:
        return str(next(iter(verdicts)))
    return ", ".join(f"{verdict} {count}" for verdict, count in verdicts.items()) or "-"


def _echo_account(each: AppAccount) -> None:
    app = each.app
    vendor = f", {app.vendor}" if app.vendor else ""
    _say(f"{app.id}: {app.name}{vendor}")
    _say(f"endpoints: {each.endpoints}, of which shared: {each.shared}; {_counts(each.verdicts)}")
    for role, entries in each.by_role():
        _heading(f"{role} ({sum(entry.count for entry in entries)})")
        _echo_entries(entries)
    if each.listings:
        _heading("store listings")
        _echo_stores(each)
    if app.exclude:
        _heading("excluded: never this app")
        for exclude in app.exclude:
            _say(f"  {exclude}")
    if each.held:
        _heading("authorities")
    for held in each.held:
        authority = held.authority
        _say(f"  {authority.id}: {held.text}")
        _say(f"    {authority.title}{f' ({authority.jurisdiction})' if authority.jurisdiction else ''}")
        if authority.url:
            _say(f"    {authority.url}")
        for instant, state in authority.timeline.changes:
            _say(f"    {when(instant)}  {state}")
        if authority.reviewed is not None:
            _say(f"    reviewed {authority.reviewed}")
    _heading("rules, in the order in which they are asked")
    for rule in each.rules:
        _say(f"  {rule.id}: {rule.action}{' (shadow)' if rule.shadow else ''}")
    if not each.rules:
        _say("  none: the default decides")


def _echo_entries(entries: Iterable[Entry]) -> None:
    for entry in entries:
        shared = (", shared" if entry.endpoint.shared else "") + (", on trial" if entry.endpoint.shadow else "")
        click.echo(f"  {printable(str(entry))}{shared}: {verdict_style(str(entry.verdict))} by {printable(entry.rule)}")
        if entry.source is None:
            for evidence in entry.endpoint.evidence:
                _say(f"    {evidence}")


def _echo_stores(each: AppAccount) -> None:
    stores = each.app.stores
    for store, ids in (("Apple", stores.apple), ("Google Play", stores.google_play), ("Microsoft", stores.microsoft)):
        if ids:
            _say(f"  {store}: {', '.join(ids)}")
    first = each.listings[0]
    click.echo(
        f"  {len(each.listings)} forms of their links: {verdict_style(str(first.verdict))} by {printable(first.rule)}"
    )


def _heading(text: str) -> None:
    click.echo()
    _say(text)


def _say(text: str) -> None:
    for line in folded(printable(text), "  "):
        click.echo(line)


command.add_command(new)
command.add_command(importing)
