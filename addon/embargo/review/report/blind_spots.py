"""What could not be judged, and why, in words that need no knowledge of the proxy."""

from collections.abc import Mapping
from dataclasses import dataclass

from embargo.core.rules import Decrypt, Policy

REASONS = {  # a heartbeat's reason (enforce/uninspected.py): what it means
    "not-needed": "encrypted, and not opened, since nothing inside could have been refused; judged by its name",
    "never-decrypt": "encrypted, to a place that the policy never opens; judged by its name",
    "decrypt-none": "encrypted, and the policy opens nothing; judged by its name",
    "ca-not-permitted": "encrypted; it was to be opened, and our certificate authority may not sign for it; "
    "judged by its name",
    "nameless": "nothing but an address was known of it; judged by that",
    "unknown-protocol": "a protocol that is not read; judged by the name or address it went to",
    "pinned": "the app did not accept our certificate, and so did not get through",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSpot:
    """One reason, and how often."""

    reason: str
    words: str
    count: int  # connections


def blind_spots(uninspected: Mapping[str, int]) -> list[BlindSpot]:
    """What heartbeats count as not inspected, the most first."""
    return [
        BlindSpot(reason=reason, words=REASONS.get(reason, "not looked into"), count=count)
        for reason, count in sorted(uninspected.items(), key=lambda each: (-each[1], each[0]))
        if count
    ]


def standing(policy: Policy | None) -> list[str]:
    """What the policy itself leaves unseen, in sentences; of no policy nothing is known."""
    if policy is None:
        return []
    settings = policy.settings
    said = []
    if settings.decrypt is Decrypt.NONE:
        said.append(
            "Encrypted connections are never opened (decrypt: none): what can be told only from a page's address or "
            "from what a program calls itself is not seen in them."
        )
    elif settings.decrypt is Decrypt.NEEDED:
        said.append(
            "Encrypted connections are opened only where what is inside can turn the verdict into a block; "
            "the others are judged by the name they ask for."
        )
    if settings.never_decrypt:
        named = ", ".join(pattern.text for pattern in settings.never_decrypt[:10])
        more = f" and {len(settings.never_decrypt) - 10} more" if len(settings.never_decrypt) > 10 else ""
        said.append(f"Never opened, whatever the rules say: {named}{more}.")
    if settings.unknown_protocol.value != "block":
        said.append("Protocols that are not read pass, and are logged (unknown_protocol is not block).")
    return said


NOT_SEEN = (  # what no report of a proxy can know
    "Traffic that did not pass through this proxy: other networks, mobile data, other proxies, VPNs around it.",
    "Apps that are on a device and were not started, or whose traffic went another way.",
    "Names that the catalogue does not know: an app that moves to a new name is not seen until it is added.",
)
