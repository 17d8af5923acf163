"""A command's policy: loaded, or its problems printed and the command ended."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from embargo.cli.output import echo_problems
from embargo.core.rules import Policy
from embargo.policy.load import load
from embargo.policy.problem import PolicyError

UNREADABLE = 2  # exit: usage, or input that cannot be read (DESIGN 8)


def loaded_policy(paths: Sequence[Path]) -> Policy:
    """The policy that *paths* name; where it does not load, its problems on standard error and exit 2."""
    try:
        return load(paths).policy
    except PolicyError as refused:
        echo_problems(refused.problems)
        click.echo("the policy does not load; `embargo check` shows the same with the lines", err=True)
        sys.exit(UNREADABLE)
