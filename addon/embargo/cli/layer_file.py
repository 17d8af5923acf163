"""A layer that a command makes: its options, its checks, and its file, written whole or not at all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click
from pydantic import TypeAdapter, ValidationError

from embargo.cli.findings import fail, now
from embargo.cli.output import printable
from embargo.policy.fields import AppId
from embargo.policy.problem import PolicyError
from embargo.review.own_app import NotMade, OwnApp, made, stacking

REFUSED = 1  # exit: something speaks against it
UNUSABLE = 2  # exit: usage, or files that cannot be read or written
_STDOUT = Path("-")

id_option = click.option("--id", "identifier", metavar="ID", help="Of the app.")
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="The layer; - prints it. Default: apps/ID.yaml.",
)
force_option = click.option("--force", is_flag=True, help="Replace FILE if it is there.")
name_option = click.option("--name", metavar="TEXT", help="What people call it.")
vendor_option = click.option("--vendor", metavar="TEXT", help="Who makes it.")
message_option = click.option("--message", metavar="TEXT", help="Shown to a client that is refused.")


def app_id(text: str) -> str:
    """*text* as an app's id; a usage error where it is none."""
    try:
        return str(TypeAdapter(AppId).validate_python(text))
    except ValidationError as refused:
        context = refused.errors()[0]["ctx"]
        raise click.UsageError(f"--id: {context['message']}; {context['hint']}") from refused


def target(out: Path | None, identifier: str) -> Path:
    """Where the layer goes."""
    return out if out is not None else Path("apps") / f"{identifier}.yaml"


def write(policy: tuple[Path, ...], file: Path, app: OwnApp, *, force: bool, quiet: bool = False) -> None:
    """Check the layer and write it; ends the command where that cannot be."""
    printed = file == _STDOUT
    try:
        text = made(policy, Path("apps") / f"{app.id}.yaml" if printed else file, app, now())
    except NotMade as refused:
        end(f"{refused}; nothing was written", REFUSED)
    if printed:
        click.echo(text, nl=False)
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_new(file, text.encode(), force=force)
    except FileExistsError:
        end(f"{file} is there already; --force replaces it", UNUSABLE)
    except OSError as failure:
        end(f"{file}: {failure.strerror or failure}", UNUSABLE)
    if not quiet:
        say(f"written: {file}")
        for line in stacking(policy, file):
            say(f"  {line}")


def write_new(file: Path, data: bytes, *, force: bool) -> None:
    """Write *data* as *file*, whole or not at all. Raises FileExistsError unless *force*, and OSError."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(data)
            written.flush()
            os.fsync(descriptor)
        if force:
            beside.replace(file)
        else:
            os.link(beside, file, follow_symlinks=False)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def told() -> Iterator[None]:
    """What keeps the policy from loading is told, and ends the command."""
    try:
        yield
    except PolicyError as refused:
        click.echo("the policy does not load with this:", err=True)
        fail(refused.problems)


def end(message: str, code: int) -> NoReturn:
    """Tell what is wrong, and end the command."""
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(code)


def say(text: str) -> None:
    """Print to standard error: the layer itself may go to standard output."""
    click.echo(printable(text), err=True)
