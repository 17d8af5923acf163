"""Why nobody looked inside a connection: the blind spots, counted by reason in metrics, status and heartbeats."""

from enum import StrEnum

from embargo.core.request import Request
from embargo.core.rules import Decrypt, Policy
from embargo.core.unread import nameless
from embargo.enforce.tls.decrypt import never_opened


class Uninspected(StrEnum):
    """A closed set: it is a label of metrics."""

    NOT_NEEDED = "not-needed"  # `decrypt: needed`, and nothing inside could have been blocked
    DECRYPT_NONE = "decrypt-none"
    NEVER_DECRYPT = "never-decrypt"
    NOT_PERMITTED = "ca-not-permitted"  # the policy would have it opened, the CA cannot sign for it
    NAMELESS = "nameless"  # nothing but an address is known of it
    UNKNOWN_PROTOCOL = "unknown-protocol"  # bytes that are not read
    PINNED = "pinned"  # the client rejected our certificate, and so did not get through


def why_closed(policy: Policy | None, request: Request, *, wanted: bool) -> Uninspected:
    """Why the TLS or QUIC of *request* is left closed. *wanted*: whether *policy* would have had it opened."""
    if wanted:
        return Uninspected.NOT_PERMITTED
    if nameless(request):
        return Uninspected.NAMELESS
    if policy is not None and policy.settings.decrypt is Decrypt.NONE:
        return Uninspected.DECRYPT_NONE
    if policy is not None and never_opened(policy, request):
        return Uninspected.NEVER_DECRYPT
    return Uninspected.NOT_NEEDED


def why_unread(request: Request) -> Uninspected:
    """Why nobody reads the raw stream, or the datagrams, of *request*."""
    return Uninspected.NAMELESS if nameless(request) else Uninspected.UNKNOWN_PROTOCOL
