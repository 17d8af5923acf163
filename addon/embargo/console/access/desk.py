"""The desk at the door: the database and what works on it, one of each a process, and the record of what happens."""

import logging
from collections.abc import Mapping
from typing import cast

from flask import current_app, g, has_request_context, request
from werkzeug.exceptions import ServiceUnavailable

from embargo.console.access.accounts import Accounts
from embargo.console.access.database import Database
from embargo.console.access.links import Links
from embargo.console.access.sessions import Sessions
from embargo.console.access.throttle import Throttle
from embargo.console.access.tokens import Tokens
from embargo.console.context import console
from embargo.console.settings import ConsoleSettings
from embargo.core.rules import LogSettings
from embargo.journal import audit
from embargo.journal.event import ConsoleUsed, Detail, Outcome
from embargo.policy.problem import PolicyError

KEY = "embargo-access"
_LOG = logging.getLogger("embargo.console")


class Desk:
    """What sign-in needs."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self.settings = settings
        self.database = Database.open(settings.state)
        self.accounts = Accounts(self.database)
        self.sessions = Sessions(self.database, idle=settings.access.idle, absolute=settings.access.absolute)
        self.tokens = Tokens(self.database)
        self.links = Links(self.database)
        self.throttle = Throttle(self.database)
        self.hosts = frozenset(name.lower() for name in settings.access.hosts)

    def now(self) -> float:
        """The time, seconds since 1970: the injected clock's."""
        return self.settings.now().timestamp()

    def record(
        self,
        action: str,
        *,
        outcome: Outcome = Outcome.SUCCESS,
        account: str | None = None,
        target: str | None = None,
        reason: str | None = None,
        details: Mapping[str, Detail] | None = None,
    ) -> None:
        """Write to the audit chain what somebody does: *account*, else who is asking.

        Raises ServiceUnavailable, and then it must not happen. Never hand it a password, a code, a token or a link.
        """
        if account is None and has_request_context() and g.get("account") is not None:
            account = g.account.name
        event = ConsoleUsed(
            time=self.settings.now(),
            action=action,
            outcome=outcome,
            user=account,
            target=target,
            reason=reason,
            client=request.remote_addr if has_request_context() else None,
            details=details or {},
        )
        try:
            audit.record(self.settings.log, event, self.log_settings())
        except OSError as failure:
            _LOG.error("%s: cannot be recorded: %s", self.settings.log, failure)
            raise ServiceUnavailable(
                "this cannot be recorded now, so it is not done: see the console's log"
            ) from failure

    def record_failure(self, way: str, *, account: str | None = None, reason: str) -> None:
        """Record a log-in that failed before any password: five of a kind from an address in a while, no more.

        Whoever is not signed in must not be able to fill the disk.
        """
        address = request.remote_addr or ""
        if self.throttle.admit(f"{way} {account or ''}", address, self.now()) <= 0:
            self.record("log-in", outcome=Outcome.FAILURE, account=account, reason=reason, details={"way": way})

    def log_settings(self) -> LogSettings | None:
        """How the log is kept, as the policy says; None where none loads."""
        try:
            return console().policy().policy.settings.log
        except PolicyError:
            return None


def desk() -> Desk:
    """The desk of the application that serves this request."""
    return cast(Desk, current_app.extensions[KEY])
