"""Texts that people give for a policy file and the log: a reason, a name, a ticket."""

import click

from embargo.cli.options import Decorator

LONGEST_TEXT = 1000  # characters: a record keeps that much whole


class Words(click.ParamType[str]):
    """Some letters, none that a terminal would take as a command."""

    name = "TEXT"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """*value*; a usage error where it cannot stand in a file."""
        if not value.strip():
            self.fail("it is empty", param, ctx)
        if len(value) > LONGEST_TEXT:
            self.fail(f"it has {len(value)} characters, of which at most {LONGEST_TEXT} are kept", param, ctx)
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail("it is not UTF-8", param, ctx)
        if any(not (letter.isprintable() or letter in "\n\t") for letter in value):
            self.fail("it holds a control character", param, ctx)
        return value


WORDS = Words()
author_option: Decorator = click.option(
    "--author", type=WORDS, metavar="NAME", help="Who does this, for the record. Default: the login user."
)
