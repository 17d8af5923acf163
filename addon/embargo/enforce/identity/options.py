"""The options by which it is known who asks: balancers, front proxies, a map; and what the status says of them."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader

from embargo.core.address import Network
from embargo.enforce.gate import Gate
from embargo.enforce.identity.identity_map import IdentityMap
from embargo.enforce.identity.proxy_protocol import Balancers
from embargo.enforce.identity.secret import withhold
from embargo.enforce.identity.users import FORWARDED_FOR, Identity
from embargo.enforce.reload.rejudge import rejudge

logger = logging.getLogger("embargo")

USER_HEADER = "X-Authenticated-User"
_BALANCERS, _FRONT_PROXIES = "embargo_balancers", "embargo_front_proxies"
_USER_HEADER, _IDENTITIES = "embargo_user_header", "embargo_identities"
_TOKEN = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")  # RFC 9110, 5.6.2
_OTHERS = frozenset(  # headers that mean something else, and whose removal would break requests
    "host connection content-length transfer-encoding content-type te trailer upgrade expect proxy-authorization "
    f"authorization cookie user-agent {FORWARDED_FOR.lower()}".split()
)


def declare(loader: Loader) -> None:
    """Declare the options."""
    loader.add_option(
        _BALANCERS, Sequence[str], [], "Addresses or networks of balancers that send the PROXY protocol, and must."
    )
    loader.add_option(
        _FRONT_PROXIES,
        Sequence[str],
        [],
        f"Addresses or networks of proxies in front, whose user header and {FORWARDED_FOR} are believed.",
    )
    loader.add_option(_USER_HEADER, str, USER_HEADER, "Header in which a front proxy names the user.")
    loader.add_option(_IDENTITIES, str, "", "File of address,user,from,until: who has which address.")


class IdentityOptions:
    """Takes the options up, and follows the map."""

    def __init__(self, gate: Gate, identity: Identity, balancers: Balancers) -> None:
        self._gate = gate
        self._identity = identity
        self._balancers = balancers
        self._following: asyncio.Task[None] | None = None
        withhold()

    def configure(self, updated: set[str], *, running: bool) -> None:
        """Take up changed options. Raises OptionsError once *running*.

        Before, the error is logged, which ends mitmproxy: raised while a script loads it would be lost.
        """
        if _IDENTITIES not in ctx.options:
            return  # not declared yet
        try:
            if _BALANCERS in updated:
                self._balancers.networks = _networks(_BALANCERS, ctx.options.embargo_balancers)
            if _FRONT_PROXIES in updated:
                self._identity.front_proxies = _networks(_FRONT_PROXIES, ctx.options.embargo_front_proxies)
            if updated & {_USER_HEADER, _FRONT_PROXIES}:
                self._identity.user_header = _header(ctx.options.embargo_user_header)
            if _IDENTITIES in updated:
                self._set_map(ctx.options.embargo_identities)
        except ValueError as wrong:
            if running:
                raise exceptions.OptionsError(str(wrong)) from wrong
            logger.error("%s", wrong)

    def stop(self) -> None:
        """Follow the map no longer."""
        if self._following is not None:
            self._following.cancel()
            self._following = None

    def describe(self) -> dict[str, Any]:
        """What the status says."""
        identity, known = self._identity, self._identity.map
        refused = known.refused if known is not None else None
        return {
            "identity": {
                "front_proxies": list(map(str, identity.front_proxies)),
                "user_header": identity.user_header if identity.front_proxies else None,
                "map": {"file": str(known.path), "since": known.since.isoformat(), "assignments": len(known.current)}
                if known is not None
                else None,
                "refused": {"time": refused.time.isoformat(), "problems": list(refused.problems)} if refused else None,
            },
            "proxy_protocol": {
                "balancers": list(map(str, self._balancers.networks)),
                **asdict(self._balancers.counters),
            },
        }

    def _set_map(self, path: str) -> None:
        """Follow *path*. Raises PolicyError for one that cannot be read now: without it nobody would be known."""
        if not path:
            self.stop()
            self._identity.map = None
            return
        file = Path(path)
        with contextlib.suppress(RuntimeError):  # a user that is not known
            file = file.expanduser()
        known = IdentityMap(file)
        self.stop()
        self._identity.map = known
        self._identity.find_again()
        self._following = asyncio.create_task(_supervised(known, self._changed))

    async def _changed(self) -> None:
        self._identity.find_again()
        if closed := await rejudge(self._gate):
            logger.info("embargo: %d open connections closed, since their users are others now", closed)


async def _supervised(known: IdentityMap, changed: Any) -> None:
    """Follow the map for as long as it is used: a fault there must not leave it unfollowed unseen."""
    while True:
        try:
            await known.follow(changed)
        except Exception as error:  # noqa: BLE001 - a task's top: said, and started again
            logger.warning("embargo: following the map of identities failed and starts again: %s", error)
            await asyncio.sleep(1)


def _networks(option: str, texts: Sequence[str]) -> tuple[Network, ...]:
    """The networks that *texts* are. Raises ValueError."""
    networks: list[Network] = []
    for text in texts:
        try:
            networks.append(ip_network(text))
        except ValueError as wrong:
            message = f"{option}: found {text!r}, expected an address or a network such as 10.0.9.0/24"
            raise ValueError(f"{message}: {wrong}") from wrong
    return tuple(networks)


def _header(name: str) -> str:
    if _TOKEN.fullmatch(name) is None or name.lower() in _OTHERS:
        raise ValueError(f"{_USER_HEADER}: found {name!r}, expected a header of its own such as {USER_HEADER}")
    return name
