"""Who stands behind a pseudonym, found by trying addresses; and new keys. Both are recorded in the audit chain.

What was found is not recorded, only that it was looked for, by whom and why: else the log would give away what the
pseudonym was made for.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from embargo.core.address import Address, Network
from embargo.journal.audit import record
from embargo.journal.event import Change, ConfigurationChanged, Detail, Outcome
from embargo.journal.pseudonym import FORM, Key, UnusableKeys, addresses, read_keys, resolve, rotate

MOST_TRIED = 2**24  # addresses: a /8, half a minute
_STEP = 4096  # addresses between two calls of a progress


class CannotResolve(ValueError):
    """A pseudonym that cannot be resolved; says why."""


def unmask(
    pseudonym: str,
    networks: Sequence[Network],
    *,
    state: Path,
    log: Path,
    author: str,
    reason: str,
    now: Callable[[], datetime],
    progress: Callable[[int], None] = lambda tried: None,
) -> Address | None:
    """The client in *networks* behind *pseudonym*; None where it is none of them.

    *progress* hears how many addresses were tried since it last heard. Raises CannotResolve, UnusableKeys, and OSError
    where it cannot be recorded, and then nothing was looked for.
    """
    pseudonym = pseudonym.lower()
    if (matched := FORM.fullmatch(pseudonym)) is None:
        raise CannotResolve(f"{pseudonym!r} is no pseudonym; one looks like c1-k7q2m4x5n6p3r6t2")
    count = sum(network.num_addresses for network in networks)
    if count > MOST_TRIED:
        raise CannotResolve(f"{count} addresses are too many to try; name a network with at most {MOST_TRIED}")
    keys = read_keys(state)
    if not any(key.number == int(matched[1]) for key in keys):
        had = ", ".join(str(key.number) for key in keys) or "none"
        raise CannotResolve(f"the key of number {matched[1]} is not there, or was forgotten (there: {had})")
    details: dict[str, Detail] = {"pseudonym": pseudonym, "networks": tuple(map(str, networks))}

    def tell(outcome: Outcome, **more: bool) -> None:
        record(
            log,
            ConfigurationChanged(
                time=now(),
                action="pseudonym-resolved",
                change=Change.ACCESS,
                outcome=outcome,
                user=author,
                reason=reason,
                subject="privacy",
                details={**details, **more},
            ),
        )

    tell(Outcome.UNKNOWN)
    found = resolve(pseudonym, keys, _told(addresses(networks), progress))
    tell(Outcome.SUCCESS, found=found is not None)
    return found


def renew(
    *, state: Path, log: Path, author: str, reason: str, forget: bool, now: Callable[[], datetime]
) -> tuple[Key, tuple[Key, ...]]:
    """Make a new key; it, and those that were forgotten. Raises UnusableKeys, and OSError where it is not recorded."""
    earlier = read_keys(state)
    details: dict[str, Detail] = {"forget": forget}

    def tell(outcome: Outcome, key: int | None = None, error: str | None = None) -> None:
        record(
            log,
            ConfigurationChanged(
                time=now(),
                action="pseudonym-key-made",
                change=Change.CREATION,
                outcome=outcome,
                user=author,
                reason=reason,
                subject="privacy",
                details=details if key is None else details | {"key": key},
                error=error,
            ),
        )

    tell(Outcome.UNKNOWN)
    try:
        key = rotate(state, now(), forget=forget)
    except (OSError, UnusableKeys) as failure:
        tell(Outcome.FAILURE, error=str(failure))
        raise
    tell(Outcome.SUCCESS, key.number)
    return key, earlier if forget else ()


def _told(candidates: Iterator[Address], progress: Callable[[int], None]) -> Iterator[Address]:
    for number, each in enumerate(candidates, 1):
        if number % _STEP == 0:
            progress(_STEP)
        yield each
