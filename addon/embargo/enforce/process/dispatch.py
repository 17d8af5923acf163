"""Hooks called from lists that are made once, in place of a walk over all addons for each event.

mitmproxy 12.2 asks each of its 34 addons at every event whether it has that hook, twice for flows: 122 µs an
event, two fifths of a request on a kept connection (measured). The answer only changes when an addon comes
or goes, or adds a hook to itself; one that is replaced is found. Order, `AddonHalt`, failures and awaited hooks are as
mitmproxy has them, and its tests run both side by side.
"""

import inspect
import logging
from dataclasses import fields
from typing import Any, cast

from mitmproxy import flow, hooks
from mitmproxy.addonmanager import AddonManager, safecall
from mitmproxy.exceptions import AddonHalt, AddonManagerError
from mitmproxy.version import VERSION

logger = logging.getLogger("embargo")

CHECKED = frozenset({"12.2.3", "12.3.1"})  # mitmproxy's versions whose own dispatch this was compared with

_UPDATE = hooks.UpdateHook([])  # what `update` hooks are there is asked with it

type Having = tuple[tuple[object, ...], ...]  # addons, by item of the chain: what fails in one skips the item's rest


class CachedDispatch(AddonManager):
    """mitmproxy's addon manager, which remembers the hooks of each event."""

    _having: dict[str, Having]  # the addons that have a hook, by its name
    _of: tuple[int, int]  # the chain that they were found in: identity and length

    def register(self, addon: object) -> object:
        """As mitmproxy does; what was remembered is forgotten."""
        self._forget()
        return super().register(addon)  # type: ignore[no-untyped-call]

    def remove(self, addon: object) -> None:
        """As mitmproxy does; what was remembered is forgotten."""
        self._forget()
        super().remove(addon)  # type: ignore[no-untyped-call]

    async def handle_lifecycle(self, event: hooks.Hook) -> None:
        """Call the event's hooks, and for a flow those of `update` after them."""
        await self.trigger_event(event)
        subject = _arguments(event)[0]
        if isinstance(subject, flow.Flow) and self._hooks(_UPDATE) != ():
            await self.trigger_event(hooks.UpdateHook([subject]))

    async def trigger_event(self, event: hooks.Hook) -> None:
        """Call the event's hooks in the chain's order. `AddonHalt` ends them; what else fails is logged."""
        having = self._hooks(event)
        if having is None:
            await super().trigger_event(event)
            return
        if not having:
            return
        arguments = _arguments(event)
        for item in having:
            try:
                with safecall():
                    await _invoke(item, event.name, arguments)
            except AddonHalt:
                return

    def _hooks(self, event: hooks.Hook) -> Having | None:
        """Who has *event*'s hook; None where mitmproxy has to find out, since one addon's cannot be called."""
        chain = (id(self.chain), len(self.chain))
        if chain != self._of:
            self._having, self._of = {}, chain
        known = self._having.get(event.name)
        if known is not None:
            return known
        try:
            found = [tuple(addon for addon, _ in self._iter_hooks(item, event)) for item in self.chain]
        except AddonManagerError:
            return None
        having = self._having[event.name] = tuple(item for item in found if item)
        return having

    def _forget(self) -> None:
        self._having = {}


async def _invoke(item: tuple[object, ...], name: str, arguments: list[Any]) -> None:
    for addon in item:
        hook = getattr(addon, name, None)  # as it is now: scripts replace their own, and each other's
        if hook is not None:
            result = hook(*arguments)
            if result is not None and inspect.isawaitable(result):
                await result


_fields_of: dict[type, tuple[str, ...]] = {}


def _arguments(event: hooks.Hook) -> list[Any]:
    """`event.args()`, without looking up its class's fields each time."""
    names = _fields_of.get(type(event))
    if names is None:
        names = _fields_of[type(event)] = tuple(field.name for field in fields(cast("Any", event)))
    return [getattr(event, name) for name in names]


def install(manager: AddonManager) -> bool:
    """Let *manager* remember who has which hook; False where its mitmproxy is none of `CHECKED`, and stays so."""
    if VERSION not in CHECKED:
        logger.info("embargo: hooks are called as mitmproxy %s does; a faster way is known for %s", VERSION, CHECKED)
        return False
    manager.__class__ = CachedDispatch
    remembering = cast("CachedDispatch", manager)
    remembering._having, remembering._of = {}, (0, 0)
    return True
