"""The `embargo` command: finds each subcommand's module only when it is asked for.

`check` and `explain` must not pay for mitmproxy, whose import costs a third of a second.
"""

import difflib
import errno
import io
import sys
from importlib import import_module
from typing import Any

import click

from embargo import __version__

COMMANDS = {  # command: module below embargo.cli, in the order in which --help lists them
    "run": "run",
    "check": "check",
    "explain": "explain",
    "test": "test",
    "diff": "diff",
    "replay": "replay",
    "apps": "apps",
    "catalogue": "catalogue",
    "suggest": "suggest",
    "log": "log",
    "store": "store",
    "report": "report",
    "verify": "verify",
    "sinks": "sinks",
    "status": "status",
    "restore": "restore",
    "except": "exceptions",
    "break-glass": "break_glass",
    "hold": "hold",
    "probe": "probe",
    "ca": "ca",
    "privacy": "privacy",
    "console": "console",
    "user": "user",
    "schema": "schema",
}


_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})  # of the file that output goes to


class LazyGroup(click.Group):
    """A group whose commands are imported on use; each module holds one named `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        if (module := COMMANDS.get(cmd_name)) is None:
            return None
        command: click.Command = import_module(f"embargo.cli.{module}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that *args* begin with; where there is none, a usage error with the nearest name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as unknown:
            nearest = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if not nearest:
                raise
            raise click.UsageError(f"{unknown.message} Did you mean {nearest[0]!r}?", ctx) from unknown

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; letters that the output's encoding lacks are escaped, a full disk is told in one line."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except OSError as failure:
            if failure.errno not in _UNWRITABLE:
                raise
            click.echo(f"error: {failure.filename or 'output'}: {failure.strerror}", err=True)
            ctx.exit(2)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="embargo")
def main() -> None:
    """Enforce app bans on a mitmproxy proxy: decide, block or log, and prove it."""
