"""Which TLS is opened: no more than the policy needs."""

from typing import Any

import pytest

from embargo.core.catalogue import Role
from embargo.core.request import Surface
from embargo.core.rules import Action, Decrypt, Mode, Policy
from embargo.enforce.tls.decrypt import must_open
from sample import app, endpoint, pattern, policy, request, rule

APPS = [
    app("paths", endpoint("url:pages.test/bad/*")),
    app("listings", endpoint("url:store.test/*/id7", Role.STORE)),
    app("mixed", "mixed.test", endpoint("url:mixed.test/bad")),
    app("whole", "whole.test"),
    app("agents", endpoint("user_agent:BadClient")),
    app("free", "free.test", endpoint("url:free.test/bad"), exclude=["url:excluded.test/bad/*"]),
]


def needed(*rules: Any, **settings: Any) -> Policy:
    return policy(APPS, rules, **{"decrypt": Decrypt.NEEDED, **settings})


BLOCK_ALL = rule("block", "block")
CASES = {  # case: (policy, host, opened)
    "all": (needed(BLOCK_ALL, decrypt=Decrypt.ALL), "innocent.test", True),
    "none": (needed(BLOCK_ALL, decrypt=Decrypt.NONE), "pages.test", False),
    "needed: nobody's host": (needed(BLOCK_ALL), "innocent.test", False),
    "needed: a blocked path": (needed(BLOCK_ALL), "pages.test", True),
    "needed: below the path's host": (needed(BLOCK_ALL), "www.pages.test", False),
    "needed: a logged path": (needed(rule("log", "log")), "pages.test", False),
    "needed: an allowed path": (needed(rule("allow", "allow")), "pages.test", False),
    "needed: a path that only the default blocks": (needed(default=Action.BLOCK), "pages.test", True),
    "needed: listings logged before all else is blocked": (
        needed(rule("stores", "log", roles=frozenset({Role.STORE})), BLOCK_ALL),
        "store.test",
        False,
    ),
    "needed: listings blocked": (needed(BLOCK_ALL), "store.test", True),
    "needed: a blocked path on a logged host": (
        needed(rule("path", "block", "mixed", hosts=(pattern("url:mixed.test/bad"),)), rule("log", "log")),
        "mixed.test",
        True,
    ),
    "needed: a rule for the surface inside": (
        needed(rule("http", "block", "whole", surfaces=frozenset({Surface.HTTP})), rule("log", "log")),
        "whole.test",
        True,
    ),
    "needed: a rule for WebSockets": (
        needed(rule("ws", "block", "whole", surfaces=frozenset({Surface.WEBSOCKET})), rule("log", "log")),
        "whole.test",
        True,
    ),
    "needed: a rule that selects by url": (
        needed(rule("url", "block", "whole", hosts=(pattern("url:whole.test/x"),)), rule("log", "log")),
        "whole.test",
        True,
    ),
    "needed: such a rule for another host": (
        needed(rule("url", "block", "whole", hosts=(pattern("url:other.test/x"),)), rule("log", "log")),
        "whole.test",
        False,
    ),
    "needed: a shadow rule": (
        needed(rule("url", "block", "whole", hosts=(pattern("url:whole.test/x"),), shadow=True), rule("log", "log")),
        "whole.test",
        False,
    ),
    "needed: a user agent is no reason": (needed(BLOCK_ALL), "agents.test", False),
    "needed: an excluded path is no reason": (needed(BLOCK_ALL), "excluded.test", False),
    "needed, monitor": (needed(BLOCK_ALL, mode=Mode.MONITOR), "pages.test", False),
    "all, monitor": (needed(BLOCK_ALL, mode=Mode.MONITOR, decrypt=Decrypt.ALL), "pages.test", True),
    "never_decrypt over all": (
        needed(BLOCK_ALL, decrypt=Decrypt.ALL, never_decrypt=(pattern("bank.test"),)),
        "www.bank.test",
        False,
    ),
    "never_decrypt over needed": (needed(BLOCK_ALL, never_decrypt=(pattern("pages.test"),)), "pages.test", False),
    "never_decrypt by address": (
        needed(BLOCK_ALL, decrypt=Decrypt.ALL, never_decrypt=(pattern("cidr:192.0.2.0/24"),)),
        "192.0.2.7",
        False,
    ),
}


@pytest.mark.parametrize(("rules", "host", "opened"), CASES.values(), ids=CASES)
def test_must_open(rules: Policy, host: str, opened: bool) -> None:
    assert must_open(rules, request(host, surface=Surface.TLS)) is opened


def test_any_name_counts() -> None:
    """Of a tunnel to one host with the SNI of another: opened where either needs it, left where either is private."""
    assert must_open(needed(BLOCK_ALL), request("innocent.test", "pages.test", surface=Surface.TLS))
    private = needed(BLOCK_ALL, never_decrypt=(pattern("bank.test"),))
    assert not must_open(private, request("pages.test", "bank.test", surface=Surface.TLS))
