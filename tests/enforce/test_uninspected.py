import pytest

from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Decrypt, Policy, Settings
from embargo.enforce.uninspected import Uninspected, why_closed, why_unread
from sample import NOW, pattern

NAMED, BARE = "bank.test", "203.0.113.9"
NEVER = (pattern("bank.test"),)
CLOSED = {  # case: (name, settings, whether it would have been opened, reason)
    "nothing inside is banned": (NAMED, {"decrypt": Decrypt.NEEDED}, False, Uninspected.NOT_NEEDED),
    "none is opened": (NAMED, {"decrypt": Decrypt.NONE}, False, Uninspected.DECRYPT_NONE),
    "spared": (NAMED, {"decrypt": Decrypt.ALL, "never_decrypt": NEVER}, False, Uninspected.NEVER_DECRYPT),
    "not permitted": (NAMED, {"decrypt": Decrypt.ALL}, True, Uninspected.NOT_PERMITTED),
    "an address": (BARE, {"decrypt": Decrypt.NEEDED}, False, Uninspected.NAMELESS),
}


def request(name: str) -> Request:
    return Request(names=(Name.parse(Source.SNI, name, 443),), surface=Surface.TLS, time=NOW)


@pytest.mark.parametrize(("name", "settings", "wanted", "reason"), CLOSED.values(), ids=CLOSED)
def test_why_it_is_closed(name: str, settings: dict[str, object], wanted: bool, reason: Uninspected) -> None:
    policy = Policy(settings=Settings(**settings))  # type: ignore[arg-type]
    assert why_closed(policy, request(name), wanted=wanted) is reason


def test_why_nobody_reads_it() -> None:
    assert why_unread(request(NAMED)) is Uninspected.UNKNOWN_PROTOCOL
    assert why_unread(request(BARE)) is Uninspected.NAMELESS
