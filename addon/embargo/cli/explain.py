"""`embargo explain`: the verdict on a request, and its whole reason."""

import io
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

import click

from embargo.cli.loading import loaded_policy
from embargo.cli.options import Instant, at_option, json_option, policy_option
from embargo.cli.output import echo_json, printable, verdict_style
from embargo.core.address import Address, plain
from embargo.core.decision import DEFAULT_RULE
from embargo.core.inquiry import Inquiry, UnreadableRequest, requests
from embargo.core.request import Surface
from embargo.core.rules import Policy
from embargo.review.account import account
from embargo.review.explain import Explanation, explain

BLOCKED = 1  # exit, under --exit-code
STDIN = "-"
_VERDICT_WIDTH = 5  # of "block" and "allow"


class ClientAddress(click.ParamType[Address]):
    """A literal IP address; an IPv4-mapped one is IPv4."""

    name = "IP"

    def convert(self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """The address that *value* spells; a usage error where it is none."""
        try:
            return plain(ip_address(value))
        except ValueError:
            self.fail(f"{value!r} is no IP address; write 192.0.2.7 or 2001:db8::7", param, ctx)


@click.command(
    epilog="""\b
Examples:
  embargo explain https://mobilegw.alipay.com/mgw.htm
  embargo explain mp.weixin.qq.com --surface dns --client 10.20.0.7 --at 2021-03-01
  embargo explain www.tiktok.com --calendar --from 2025-01-01 --to 2026-01-01
  embargo explain --json - < hosts.txt"""
)
@click.argument("asked", metavar="REQUEST...", nargs=-1, required=True)
@policy_option
@click.option("--client", type=ClientAddress(), metavar="IP", help="The client's address. Default: unknown.")
@click.option("--user", metavar="NAME", help="The user. Default: unknown.")
@at_option
@click.option(
    "--surface",
    type=click.Choice([surface.value for surface in Surface]),
    metavar="SURFACE",
    callback=lambda _ctx, _param, value: Surface(value) if value is not None else None,
    help=f"Judge at this surface alone: {', '.join(surface.value for surface in Surface)}.",
)
@click.option("--user-agent", metavar="TEXT", help="The request's User-Agent.")
@click.option("--calendar", "over_time", is_flag=True, help="Tell how the verdict changes over time, and why.")
@click.option(
    "--from", "start", type=Instant(), help="Where the calendar begins. Default: the first date that matters."
)
@click.option("--to", "end", type=Instant(), help="Where the calendar ends. Default: a year after --at.")
@click.option("--exit-code", is_flag=True, help="Exit 1 where a request is blocked.")
@json_option
def command(
    asked: tuple[str, ...],
    policy: tuple[Path, ...],
    client: Address | None,
    user: str | None,
    at: datetime,
    surface: Surface | None,
    user_agent: str | None,
    over_time: bool,
    start: datetime | None,
    end: datetime | None,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Tell the verdict on each REQUEST, and its whole reason.

    A REQUEST is a URL, a host (as https://HOST/), an address, or - for one a line from standard input.
    """

    def inquiry(request: str) -> Inquiry:
        return Inquiry(request=request, time=at, client=client, user=user, user_agent=user_agent, surface=surface)

    if not over_time and (start is not None or end is not None):
        raise click.UsageError("--from and --to are for --calendar")
    for text in asked:
        _check(inquiry(text))
    judged = loaded_policy(policy)
    if over_time:
        _echo_calendars(judged, map(inquiry, _texts(asked)), start, end, as_json=as_json)
        return
    many = STDIN in asked
    layout = Layout(judged)
    blocked = False
    for position, text in enumerate(_texts(asked)):
        explanation = explain(judged, inquiry(text))
        blocked = blocked or explanation.decision is None or explanation.decision.blocked
        if as_json:
            echo_json(explanation.document())
        elif many:
            click.echo(layout.line(explanation))
        else:
            _echo_account(explanation, first=position == 0)
    if exit_code and blocked:
        sys.exit(BLOCKED)


def _echo_calendars(
    policy: Policy, inquiries: Iterable[Inquiry], start: datetime | None, end: datetime | None, *, as_json: bool
) -> None:
    from embargo.cli.calendar import echo_calendar
    from embargo.review.calendar import calendar

    for position, inquiry in enumerate(inquiries):
        try:
            found = calendar(policy, inquiry, start, end)
        except UnreadableRequest as unreadable:  # a line of standard input: the others are told all the same
            if as_json:
                echo_json({"request": inquiry.request, "error": str(unreadable)})
            else:
                click.echo(printable(f"{inquiry.request}: {unreadable}"))
            continue
        except ValueError as refused:
            raise click.UsageError(f"{inquiry.request}: {refused}") from refused
        if as_json:
            echo_json(found.document())
        else:
            echo_calendar(found, first=position == 0)


class Layout:
    """One aligned line a request, printed as it comes: the widths are those of the policy's longest words."""

    def __init__(self, policy: Policy) -> None:
        self._app = max(map(len, policy.apps), default=1)
        self._rule = max(len(DEFAULT_RULE), *(len(rule.id) for rule in policy.rules), 0)
        self._surface = max(map(len, Surface))

    def line(self, explanation: Explanation) -> str:
        """Verdict, apps, rule, surface and request; `-` where there is none."""
        decision, request = explanation.decision, explanation.request
        verdict = str(explanation.verdict)
        apps = ",".join(app.id for app in explanation.apps) or "-"
        rule = (decision.rule_id if decision is not None else None) or "-"
        surface = request.surface.value if request is not None else "-"
        text = f"{apps:{self._app}}  {rule:{self._rule}}  {surface:{self._surface}}  "
        text += explanation.inquiry.request
        if explanation.error is not None:
            text += f"  ({explanation.error})"
        return f"{verdict_style(verdict)}{' ' * (_VERDICT_WIDTH - len(verdict))}  {printable(text)}"


def _check(inquiry: Inquiry) -> None:
    """A usage error where an argument has a scheme that no proxy sees; such a line on stdin is told in its row."""
    try:
        requests(inquiry)
    except UnreadableRequest as unreadable:
        raise click.UsageError(f"{inquiry.request}: {unreadable}") from unreadable


def _texts(asked: tuple[str, ...]) -> Iterator[str]:
    for text in asked:
        if text != STDIN:
            yield text
            continue
        for line in io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", errors="replace"):
            if request := line.strip():
                yield request


def _echo_account(explanation: Explanation, *, first: bool) -> None:
    if not first:
        click.echo()
    verdict = verdict_style(str(explanation.verdict))
    click.echo(f"{verdict}  {printable(explanation.inquiry.request)}")
    lines = account(explanation)
    width = max((len(label) for label, _ in lines), default=0)
    previous = ""
    for label, text in lines:
        click.echo(f"  {label if label != previous else '':{width}}  {printable(text)}".rstrip())
        previous = label
