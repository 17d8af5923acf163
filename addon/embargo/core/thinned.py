"""A matcher from which some entries are gone: what is left is shared with the whole one, so it is made in no time."""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from embargo.core.address import Address
from embargo.core.matcher import Entry, Matcher
from embargo.core.trials import Trials

if TYPE_CHECKING:
    from embargo.core.rules import Policy

_REMEMBERED = 4096  # hosts


class ThinnedMatcher(Matcher):
    """*whole* without the entries that are *gone*."""

    def __init__(self, whole: Matcher, gone: Callable[[Entry], bool]) -> None:
        vars(self).update(vars(whole))
        self._gone = gone
        self._urls = {
            host: left
            for host, entries in whole._urls.items()
            if (left := [entry for entry in entries if not gone(entry)])
        }
        self._agents = [entry for entry in whole._agents if not gone(entry)]
        self._known = lru_cache(maxsize=_REMEMBERED)(self._look_up)
        self.entries_of_agent = lru_cache(maxsize=_REMEMBERED)(self._entries_of_agent)

    def _entries_of_name(self, text: str) -> tuple[Entry, ...]:
        return tuple(entry for entry in super()._entries_of_name(text) if not self._gone(entry))

    def _entries_of_address(self, address: Address) -> Iterator[Entry]:
        return (entry for entry in super()._entries_of_address(address) if not self._gone(entry))


def thinned(policy: "Policy", gone: Callable[[Entry], bool]) -> "Policy":
    """*policy* without the entries that are *gone*, those on trial included."""
    left = ThinnedMatcher(policy.matcher, gone)
    variant = policy.varied(matcher=left)
    if (trials := policy.trials) is not None:
        within = policy.varied(matcher=ThinnedMatcher(trials.within.matcher, gone))
        fewer = Trials(ThinnedMatcher(trials.met, gone), policy.varied(matcher=left), within)
        object.__setattr__(variant, "trials", fewer)
    return variant
