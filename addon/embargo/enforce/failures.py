"""What is told of a failure in a hook, to the operator and in its record: never a password."""

import logging
from collections.abc import Sequence
from traceback import format_exception

from embargo.core.request import Surface
from embargo.enforce.identity.secret import secrets_of, without

logger = logging.getLogger("embargo")


class Failures:
    """Tells of failures, and counts those that were told."""

    def __init__(self) -> None:
        self._reported = 0

    def told(self, error: Exception, data: object) -> str:
        """Report *error* to the operator; what a record may say of it, free of passwords."""
        kind = type(error).__name__
        try:
            secrets = secrets_of(data)
            self._report(error, secrets)
            return without(f"{kind}: {error}", secrets)
        except Exception:  # noqa: BLE001 - the gate: it must not fail for words; which of them are secret is not known
            logger.warning("embargo could not judge a flow and refused it: %s", kind)
            return kind

    def _report(self, error: Exception, secrets: Sequence[str]) -> None:
        """Say it in the operator's log, with a traceback, but not a thousand times."""
        self._reported += 1
        if self._reported <= 20 or self._reported % 1000 == 0:
            logger.warning(
                "embargo could not judge a flow and refused it (%d so far): %s\n%s",
                self._reported,
                without(str(error), secrets),
                without("".join(format_exception(error)), secrets),
            )


def surface_of(data: object) -> Surface:
    """The surface of a hook's argument, for the record of a failure."""
    name = type(data).__name__
    return {
        "HTTPFlow": Surface.HTTP,
        "TCPFlow": Surface.TCP,
        "UDPFlow": Surface.UDP,
        "DNSFlow": Surface.DNS,
        "ServerConnectionHookData": Surface.SERVER,
        "Datagram": Surface.UDP,
    }.get(name, Surface.TLS)
