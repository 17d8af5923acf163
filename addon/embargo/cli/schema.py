"""`embargo schema`: JSON Schema of the policy file, for editors."""

import json

import click

from embargo.policy.editor import json_schema


@click.command()
def command() -> None:
    """Print the JSON Schema (2020-12) of the policy file, for editors.

    Example: embargo schema > embargo.schema.json, and as the policy's first line
    `# yaml-language-server: $schema=embargo.schema.json`
    """
    click.echo(json.dumps(json_schema(), indent=2))
