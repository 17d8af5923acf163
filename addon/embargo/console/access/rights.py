"""Who may do what: a role has rights, a view asks for one, and a view that asks for none refuses everybody.

The table is the whole of it. Two lines matter more than the others: an auditor changes no setting, and an admin signs
nothing off, so that nobody reviews what he himself decided. What an auditor sends becomes a record (a mark, a sign-off,
a wish for an exception) or concerns his own account alone.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any


class Role(StrEnum):
    """What an account is for."""

    VIEWER = "viewer"  # a manager: counts and reports
    AUDITOR = "auditor"  # reviews what was decided
    OPERATOR = "operator"  # keeps the proxies running
    ADMIN = "admin"  # answers for policy and accounts


class Right(StrEnum):
    """One thing that can be done. Its value names it in the table of the manual and in a token's scopes."""

    ANYONE = "anyone"  # without log-in: log-in itself, static files, is-it-alive
    OWN = "own"  # one's own account, whatever the role
    COUNTS = "counts"  # numbers and charts, clients and users masked
    REPORTS = "reports"  # a period as a report, clients and users masked
    ROWS = "rows"  # single records, with clients and users
    EXPORT = "export"  # rows as a file
    MARK = "mark"  # fine, question, wrong
    SIGN_OFF = "sign-off"  # a period, in the sealed log
    UNMASK = "unmask"  # the address behind a pseudonym, with a reason
    HEALTH = "health"  # status of the proxies
    OPERATE = "operate"  # reload, nodes
    EXCEPTIONS = "exceptions"  # which there are
    EXCEPTION_ASK = "exception-ask"
    EXCEPTION_GRANT = "exception-grant"  # and end
    POLICY = "policy"  # in force, and its history
    POLICY_TRY = "policy-try"  # check, and what would change, for a text that is given
    USERS = "users"  # accounts and what they did
    USERS_MANAGE = "users-manage"
    RETENTION = "retention"  # how long what is kept, and holds
    RETENTION_MANAGE = "retention-manage"


_ALL = frozenset({Right.ANYONE, Right.OWN, Right.COUNTS, Right.REPORTS})

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: _ALL,
    Role.AUDITOR: _ALL
    | {
        Right.ROWS,
        Right.EXPORT,
        Right.MARK,
        Right.SIGN_OFF,
        Right.HEALTH,
        Right.EXCEPTIONS,
        Right.EXCEPTION_ASK,
        Right.POLICY,
        Right.USERS,
        Right.RETENTION,
    },
    Role.OPERATOR: _ALL | {Right.HEALTH, Right.OPERATE, Right.EXCEPTIONS, Right.EXCEPTION_ASK},
    Role.ADMIN: frozenset(Right) - {Right.EXPORT, Right.MARK, Right.SIGN_OFF},
}

_MARK = "_embargo_right"


def requires[**P, T](right: Right) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Say of a view that *right* is needed for it; `console.access.guard` refuses whoever lacks it.

    It stands beneath `@blueprint.get(…)`, next to the function.
    """

    def marked(view: Callable[P, T]) -> Callable[P, T]:
        @wraps(view)
        def carried(*args: P.args, **kwargs: P.kwargs) -> T:
            return view(*args, **kwargs)

        setattr(carried, _MARK, right)
        return carried

    return marked


def right_of(view: Callable[..., Any] | None) -> Right | None:
    """The right that *view* asks for; None where it says nothing, and then nobody has it."""
    found = getattr(view, _MARK, None)
    return found if isinstance(found, Right) else None
