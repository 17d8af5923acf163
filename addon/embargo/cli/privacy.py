"""`embargo privacy`: what the policy opens and records, for a works council."""

from datetime import datetime
from pathlib import Path

import click

from embargo.cli.loading import loaded_policy
from embargo.cli.options import at_option, json_option, policy_option
from embargo.cli.output import printable
from embargo.review.annex import markdown
from embargo.review.privacy import annex


@click.command(
    epilog="""\b
Examples:
  embargo privacy > annex.md
  embargo privacy --policy domains.yaml --policy site.yaml --json"""
)
@policy_option
@at_option
@json_option
def command(policy: tuple[Path, ...], at: datetime, as_json: bool) -> None:
    """Print what the policy opens and why, what is recorded about whom, for how long, who sees it.

    Markdown, the annex for a works council. It says what the proxy does under that policy, and knows nothing of copies
    made elsewhere.
    """
    made = annex(loaded_policy(policy), at)
    if as_json:
        import json

        click.echo(json.dumps(made.document(), ensure_ascii=True))
        return
    for line in markdown(made):
        click.echo(printable(line))
