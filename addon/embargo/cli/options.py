"""Options that several commands share, each in one place, so that they read alike everywhere."""

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import click

from embargo.core.address import Network
from embargo.paths import default_policy, log_directory

type Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def policy_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--policy FILE`, repeatable; the parameter `policy` is a tuple of paths, never empty."""
    return click.option(
        "--policy",
        "policy",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=lambda _ctx, _param, value: tuple(value) or (default_policy(),),
        help="Policy file; repeat it for layers. Default: ./domains.yaml, else $XDG_CONFIG_HOME/embargo/domains.yaml, "
        "else the shipped one.",
    )(function)


def log_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--log DIR`; the parameter `log` is a path."""
    return click.option(
        "--log",
        "log",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        callback=lambda _ctx, _param, value: value or log_directory(),
        help="Log directory. Default: $LOGS_DIRECTORY, else $XDG_STATE_HOME/embargo/log.",
    )(function)


def json_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--json`; the parameter `as_json` is a flag."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(function)


class Instant(click.ParamType[datetime]):
    """A date (00:00 UTC) or an RFC 3339 time with offset, as an aware datetime in UTC."""

    name = "TIME"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant that *value* spells; a usage error where it is none."""
        if isinstance(value, datetime):
            return value
        from embargo.policy.instants import moment  # not at the top: `log` and `status` need no policy
        from embargo.policy.problem import Mistake

        try:
            return moment(value)
        except Mistake as mistake:
            self.fail(str(mistake), param, ctx)


class NetworkType(click.ParamType[Network]):
    """An address or a network, of which *strict* wants no bits behind its prefix."""

    name = "NET"

    def __init__(self, *, strict: bool = True) -> None:
        self._strict = strict

    def convert(self, value: str | Network, param: click.Parameter | None, ctx: click.Context | None) -> Network:
        """The network that *value* spells; a usage error where it is none."""
        if not isinstance(value, str):
            return value
        try:
            return ip_network(value, strict=self._strict)
        except ValueError as wrong:
            self.fail(str(wrong), param, ctx)


def at_option(function: Callable[..., None]) -> Callable[..., None]:
    """`--at TIME`; the parameter `at` is an aware datetime in UTC, now by default."""
    return click.option(
        "--at",
        "at",
        type=Instant(),
        callback=lambda _ctx, _param, value: value or datetime.now(UTC),
        help="Judge as of this date (00:00 UTC) or RFC 3339 time. Default: now.",
    )(function)
