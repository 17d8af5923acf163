"""Puts a proposed catalogue in place: locked, recorded before and after, the one before kept, whole or not at all."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from embargo.core.horizon import spelled
from embargo.journal import audit
from embargo.journal.event import Change, ConfigurationChanged, Detail, Outcome
from embargo.policy.problem import PolicyError
from embargo.policy.replacement import LockedFile, NotWritten, locked
from embargo.review.catalogue_update import Proposal, previous, still_holds
from embargo.review.endpoint_changes import EndpointChange

_MOST_TOLD = 100  # lines of a record


def install(
    proposal: Proposal,
    log: Path,
    *,
    action: str,
    user: str,
    holder: str,
    now: Callable[[], datetime],
    reason: str | None = None,
    waiting: Callable[[str], None] = lambda other: None,
) -> str | None:
    """Put *proposal* in place; what went wrong with the record of that, in words, or None.

    *action* is what the record calls it, *holder* what others are told who wait for the lock. Raises NotWritten, and
    the catalogue is as it was then.
    """
    target = proposal.target
    kept = previous(target)
    if kept.is_symlink():
        raise NotWritten(f"{kept} is a symbolic link, which the catalogue before would replace: take it away")
    with locked(target, holder, like=target, waiting=waiting) as file:
        if file.read() != proposal.old:
            raise NotWritten(f"{target}: somebody else changed it meanwhile; nothing was written: try again")
        _same(proposal)
        before = LockedFile(kept, kept, target)
        before.read()
        happened = ConfigurationChanged(
            time=now(),
            action=action,
            change=Change.CHANGE,
            outcome=Outcome.UNKNOWN,
            user=user,
            reason=reason,
            apps=tuple(dict.fromkeys(change.app for change in _changes(proposal))),
            policy=proposal.before.digest,
            subject="catalogue",
            details=details_of(proposal),
        )
        settings = proposal.before.policy.settings.log
        try:
            file.stage(proposal.new)
            before.stage(proposal.old)
            try:
                audit.record(log, happened, settings)
            except OSError as failure:
                why = failure.strerror or str(failure)
                raise NotWritten(f"{log}: the change cannot be recorded ({why}), so it was not made") from failure
            try:
                before.replace()
                file.replace()
            except NotWritten as refused:
                with suppress(OSError):  # that it was about to be made is on record
                    failed = replace(happened, time=now(), outcome=Outcome.FAILURE, error=str(refused))
                    audit.record(log, failed, settings)
                raise
        finally:
            before.discard()
        try:
            audit.record(log, replace(happened, time=now(), outcome=Outcome.SUCCESS), settings)
        except OSError as failure:
            return f"{log}: that it was made could not be recorded: {failure.strerror or failure}"
        return None


def _same(proposal: Proposal) -> None:
    try:
        same = still_holds(proposal)
    except PolicyError as refused:
        raise NotWritten(f"the policy changed meanwhile, and does not load with this: {refused}") from refused
    if not same:
        raise NotWritten("another file of the policy changed meanwhile; nothing was written: try again")


def _changes(proposal: Proposal) -> tuple[EndpointChange, ...]:
    return (*proposal.comparison.endpoints, *proposal.comparison.excluded)


def details_of(proposal: Proposal) -> Mapping[str, Detail]:
    """What the record of *proposal* says of it, under `embargo.catalogue`."""
    was, now = proposal.released
    changes = proposal.comparison.endpoints
    told: dict[bool, list[str]] = {False: [], True: []}  # by whether it is stricter
    for period in proposal.verdicts:
        for shift in period.shifts:
            told[shift.after > shift.before].append(f"{shift}, {spelled(period.start)} to {spelled(period.end)}")
    for change in _changes(proposal):
        if change.before is not change.after:
            text = f"{change.app} {change.endpoint}: {change.before} to {change.after}"
            told[change.stricter].append(text)
    return {
        "file": str(proposal.target),
        "released": now.isoformat() if now is not None else None,
        "replaced": was.isoformat() if was is not None else None,
        "new": proposal.after.digest,
        "added": sum(change.old is None for change in changes),
        "removed": sum(change.new is None for change in changes),
        "on_trial": len(proposal.on_trial),
        "stricter": tuple(told[True][:_MOST_TOLD]),
        "milder": tuple(told[False][:_MOST_TOLD]),
        "lost": proposal.comparison.lost,
    }
