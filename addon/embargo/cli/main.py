"""The `embargo` command: finds each subcommand's module only when it is asked for.

`check` and `explain` must not pay for mitmproxy, whose import costs a third of a second.
"""

from importlib import import_module

import click

from embargo import __version__

COMMANDS = {  # command: module below embargo.cli, in the order in which --help lists them
    "run": "run",
    "check": "check",
    "explain": "explain",
    "test": "test",
    "apps": "apps",
    "log": "log",
    "status": "status",
    "schema": "schema",
}


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


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="embargo")
def main() -> None:
    """Enforce app bans on a mitmproxy proxy: decide, block or log, and prove it."""
