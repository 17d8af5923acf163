"""The exceptions of a policy, each with what it is at an instant: active, to come, over."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from embargo.core.criteria import without_warrant
from embargo.core.rules import Policy, Rule
from embargo.policy.problem import nearest


class State(StrEnum):
    """What an exception is at an instant."""

    ACTIVE = "active"
    UPCOMING = "upcoming"
    ENDED = "ended"
    DISABLED = "disabled"  # `enabled: false`


class UnknownException(ValueError):
    """A name that is no exception's; says what could be meant."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An exception at an instant."""

    rule: Rule
    state: State
    left: float | None  # seconds until it ends, of one that is active or upcoming; None: no end is known
    void_for: tuple[tuple[str, tuple[str, ...]], ...]  # apps for which it does not hold now, each with the orders


def standings(policy: Policy, now: datetime) -> tuple[Standing, ...]:
    """All exceptions of *policy*, in the order in which they are asked."""
    found = []
    for rule in policy.rules:
        if not rule.exception:
            continue
        state = state_of(rule, now)
        running = rule.until is not None and state in (State.ACTIVE, State.UPCOMING)
        left = (rule.until - now).total_seconds() if running and rule.until is not None else None
        void = without_warrant(policy, rule, now) if state is State.ACTIVE else ()
        found.append(Standing(rule, state, left, void))
    return tuple(found)


def state_of(rule: Rule, now: datetime) -> State:
    """What the exception *rule* is at *now*."""
    if rule.until is not None and rule.until <= now:
        return State.ENDED
    if not rule.enabled:
        return State.DISABLED
    return State.UPCOMING if rule.since is not None and rule.since > now else State.ACTIVE


def find(policy: Policy, name: str) -> Rule:
    """The exception of that id, or the only one whose id begins so. Raises UnknownException."""
    exceptions = {rule.id: rule for rule in policy.rules if rule.exception}
    if name in exceptions:
        return exceptions[name]
    if any(rule.id == name for rule in policy.rules):
        raise UnknownException(f"{name!r} is a rule of the policy, and no exception")
    begun = [identifier for identifier in exceptions if identifier.startswith(name)]
    if len(begun) == 1:
        return exceptions[begun[0]]
    if begun:
        raise UnknownException(f"{name!r} could be {', '.join(map(repr, begun))}: write more of it")
    hint = nearest(name, exceptions) or "`embargo except list --all` shows them"
    raise UnknownException(f"there is no exception {name!r}; {hint}")
