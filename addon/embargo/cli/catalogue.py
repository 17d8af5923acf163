"""`embargo catalogue`: a newer catalogue in place of the installed one, and what comes in with it on trial."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from embargo.cli.catalogue_output import alarm, document, refusal, show, show_hits, trial
from embargo.cli.findings import counted, exit_code, fail, failure, now
from embargo.cli.options import json_option, log_option, policy_option
from embargo.cli.output import Json, echo_json, printable
from embargo.paths import shipped
from embargo.policy.load import load
from embargo.policy.problem import PolicyError
from embargo.policy.replacement import NotWritten
from embargo.review.catalogue_install import install
from embargo.review.catalogue_trials import entries_of
from embargo.review.catalogue_update import (
    NotUpdated,
    Proposal,
    catalogue_of,
    previous,
    propose_enforcing,
    propose_previous,
    propose_update,
)
from embargo.review.trial_hits import Hits, hits_in

_REFUSED = 1  # exit: something speaks against it
_UNUSABLE = 2  # exit: files that cannot be read or written

catalogue_option = click.option(
    "--catalogue",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Which file of the policy it is. Default: the one that says when it was `released`.",
)
yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
dry_option = click.option("--dry-run", is_flag=True, help="Show what it would do; write nothing.")
reason_option = click.option("--reason", metavar="TEXT", help="Why, for the record.")
loss_option = click.option(
    "--accept-loss", "accepted", multiple=True, metavar="APP", help="This app need no longer be blocked; repeatable."
)


@click.group(
    "catalogue",
    epilog="\b\nExamples:\n  embargo catalogue update new/domains.yaml --dry-run\n  embargo catalogue enforce alipay\n"
    "  embargo catalogue restore",
)
def command() -> None:
    """The catalogue: take in a newer one, enforce what is on trial, go back."""


@command.command("show")
@policy_option
@catalogue_option
@log_option
@json_option
def showing(policy: tuple[Path, ...], catalogue: Path | None, log: Path, as_json: bool) -> None:
    """Show which catalogue is installed, and what of it is on trial, with what the log says of each.

    Example: embargo catalogue show --policy site.yaml
    """
    with _told(as_json):
        loaded = load(policy)
        layer = catalogue_of(loaded, catalogue)
        assert layer.form is not None, "a policy that loads has no broken layer"
        entries = [entry for entry in entries_of(layer.form) if entry.endpoint.shadow]
        hits = _hits(log)
        kept = previous(layer.document.source.path)
        if as_json:
            echo_json(
                {
                    "file": layer.name,
                    "released": layer.form.released.isoformat() if layer.form.released else None,
                    "apps": len(layer.form.apps),
                    "new_endpoints": loaded.policy.settings.new_endpoints.value,
                    "previous": str(kept) if kept.exists() else None,
                    "trials": [trial(entry, hits) for entry in entries],
                }
            )
            return
        released = (
            f"released {layer.form.released}" if layer.form.released else "which does not say when it was released"
        )
        click.echo(f"{printable(layer.name)}, {released}: {counted(len(layer.form.apps), 'app')}")
        click.echo(f"new endpoints: {loaded.policy.settings.new_endpoints}")
        click.echo(f"the one before: {printable(str(kept)) if kept.exists() else 'none'}")
        click.echo(f"on trial: {counted(len(entries), 'endpoint')}")
        if entries:
            show_hits(entries, hits)


@command.command("update")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@policy_option
@catalogue_option
@log_option
@click.option("--force-older", is_flag=True, help="Install FILE though it be older, or of no known day.")
@loss_option
@reason_option
@dry_option
@yes_option
@json_option
def update(
    file: Path,
    policy: tuple[Path, ...],
    catalogue: Path | None,
    log: Path,
    force_older: bool,
    accepted: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put FILE, a newer catalogue, in place of the installed one; a running proxy follows within two seconds.

    First it shows what that changes in effect. New endpoints come in on trial (settings.new_endpoints: shadow): what
    they would do is recorded, and they do nothing until `embargo catalogue enforce`. With FILE the policy must load,
    all its layers included, and pass its tests. The file before is kept beside it; `embargo catalogue restore` goes
    back.

    Exit 0 where it is installed, or nothing is to do; 1 where something speaks against it; 2 where a file cannot be
    read or written. Example: embargo catalogue update new/domains.yaml --policy site.yaml
    """
    with _told(as_json):
        proposal = propose_update(policy, file, now(), catalogue=catalogue, older=force_older)
        _carry_out(
            proposal, log, "catalogue-updated",
            accepted=accepted, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json,
        )  # fmt: skip


@command.command("restore")
@policy_option
@catalogue_option
@log_option
@loss_option
@reason_option
@dry_option
@yes_option
@json_option
def restore(
    policy: tuple[Path, ...],
    catalogue: Path | None,
    log: Path,
    accepted: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Go back to the catalogue before; done twice, it is as it was.

    Example: embargo catalogue restore --reason "the new one hits our supplier"
    """
    with _told(as_json):
        proposal = propose_previous(policy, now(), catalogue=catalogue)
        _carry_out(
            proposal, log, "catalogue-restored",
            accepted=accepted, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json,
        )  # fmt: skip


@command.command("enforce")
@click.argument("apps", nargs=-1, metavar="[APP]...")
@policy_option
@catalogue_option
@log_option
@loss_option
@reason_option
@dry_option
@yes_option
@json_option
def enforce(
    apps: tuple[str, ...],
    policy: tuple[Path, ...],
    catalogue: Path | None,
    log: Path,
    accepted: tuple[str, ...],
    reason: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Enforce the endpoints that are on trial, of all apps or of each APP, after a look at what they met.

    Example: embargo catalogue enforce alipay --policy site.yaml
    """
    with _told(as_json):
        proposal, entries = propose_enforcing(policy, apps, now(), catalogue=catalogue)
        hits = _hits(log)
        if not as_json:
            if not entries:
                click.echo("nothing is on trial")
                return
            show_hits(entries, hits)
        _carry_out(
            proposal, log, "trials-ended",
            accepted=accepted, reason=reason, dry_run=dry_run, yes=yes, as_json=as_json,
            trials=[trial(entry, hits) for entry in entries],
        )  # fmt: skip


def _carry_out(
    proposal: Proposal,
    log: Path,
    action: str,
    *,
    accepted: Sequence[str],
    reason: str | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    trials: Sequence[Json] | None = None,
) -> None:
    """Show *proposal*, have it confirmed, and put it in place; ends the command where it is not."""
    if not as_json:
        show(proposal)
    if proposal.unchanged:
        _finish(proposal, "nothing to do: the file stays as it is", as_json=as_json, trials=trials)
        return
    refused = _obstacle(proposal, accepted, ask=not (yes or dry_run or as_json))
    if refused is None and not dry_run and not yes and not _confirmed(as_json=as_json):
        refused = "it was not confirmed; --yes installs it without asking"
    if refused is not None:
        if as_json:
            echo_json(document(proposal, written=False, refused=refused, hits=trials))
        else:
            for result in proposal.failed:
                click.echo(printable(str(failure(result))), err=True)
        click.echo(f"error: {printable(refused)}; nothing was written", err=True)
        sys.exit(_REFUSED)
    if dry_run:
        _finish(proposal, "nothing was written: a dry run", as_json=as_json, trials=trials)
        return
    _refuse_shipped(proposal.target)
    from embargo.journal.audit import login_user

    user = login_user()
    holder = f"{user} (embargo catalogue, process {os.getpid()}, since {now():%H:%M:%S} UTC)"
    trouble = install(
        proposal, log, action=action, user=user, holder=holder, now=now, reason=reason, waiting=_wait
    )  # fmt: skip
    kept = previous(proposal.target)
    _finish(
        proposal, f"written: {proposal.target}; the one before is {kept}", as_json=as_json, written=True, trials=trials
    )
    if trouble is not None:
        click.echo(f"warning: {printable(trouble)}", err=True)


def _obstacle(proposal: Proposal, accepted: Sequence[str], *, ask: bool) -> str | None:
    """What speaks against *proposal* so that `--yes` alone is not enough; None where nothing does."""
    if proposal.failed:
        return f"{counted(len(proposal.failed), 'test')} of the policy would fail"
    for app in proposal.comparison.lost:
        if app in accepted:
            continue
        if not ask or not _on_terminal():
            return f"{app} would no longer be blocked anywhere; --accept-loss {app} takes that in"
        alarm(f"{app} would no longer be blocked anywhere.")
        if click.prompt("Write its id if you mean that", default="", show_default=False).strip() != app:
            return f"the loss of {app} was not confirmed"
    return None


def _confirmed(*, as_json: bool) -> bool:
    return not as_json and _on_terminal() and click.confirm("Install this?", default=False)


def _on_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _finish(
    proposal: Proposal, text: str, *, as_json: bool, written: bool = False, trials: Sequence[Json] | None = None
) -> None:
    if as_json:
        echo_json(document(proposal, written=written, hits=trials))
    else:
        click.echo(printable(text))


def _refuse_shipped(target: Path) -> None:
    own = shipped("domains.yaml")
    if own.parent.name == "shipped" and target.exists() and target.samefile(own):
        raise NotUpdated(
            f"{target} belongs to the installed package, whose next release replaces it: copy it to a place of yours, "
            "and name that by --policy"
        )


def _hits(log: Path) -> Mapping[tuple[str, str], Hits] | None:
    try:
        found = hits_in(log)
    except OSError as unread:
        click.echo(f"warning: {printable(str(log))}: {unread.strerror or unread}", err=True)
        return None
    if found is not None and found.broken:
        click.echo(f"warning: {counted(found.broken, 'broken line')} of the log left out", err=True)
    return found.by_endpoint if found is not None else None


@contextmanager
def _told(as_json: bool) -> Iterator[None]:
    """What goes wrong is told, and ends the command."""
    try:
        yield
    except PolicyError as refused:
        if not as_json:
            fail(refused.problems)
        echo_json(refusal(refused.problems))
        sys.exit(exit_code(refused.problems))
    except NotUpdated as refused:
        _end(str(refused), _REFUSED)
    except NotWritten as refused:
        _end(str(refused), _UNUSABLE)


def _end(message: str, code: int) -> NoReturn:
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(code)


def _wait(other: str) -> None:
    click.echo(f"waiting for {printable(other)}", err=True)
