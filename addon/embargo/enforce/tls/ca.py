"""The CA with which mitmproxy signs: what it permits, and that nothing is opened beyond it.

A certificate outside the CA's name constraints would be refused by every client, and opened for nothing. So where
they forbid a name, its TLS stays closed, and a banned one is refused at CONNECT in place of the page.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cryptography import x509
from mitmproxy import certs, ctx
from mitmproxy.proxy.context import Context

from embargo.core.ca_findings import colons, not_permitted, too_many
from embargo.core.catalogue import DomainList
from embargo.core.hostname import Host, MalformedHost, canonical
from embargo.core.request import Name, Request, Source
from embargo.core.rules import Decrypt, Policy
from embargo.enforce.tls.decrypt import can_block_inside, can_stay_closed
from embargo.review.certificate import CaFacts, CertificateError, facts, missing_lists, missing_names, unpermitted

logger = logging.getLogger("embargo")

_MOST_LISTED = 1000  # names that the policy needs opened and the CA does not permit: in status, and remembered
_MOST_TOLD = 10  # of them in the operator's log
_ASKED_FIRST = (Source.SNI, Source.CONNECT, Source.DESTINATION)  # whose certificate a client expects


class SigningCa:
    """mitmproxy's CA, as it is now. Touched by the event loop's thread alone."""

    def __init__(self) -> None:
        self.facts: CaFacts | None = None  # None: there is none yet, or it cannot be read
        self.unreadable: str | None = None
        self.left_closed = 0  # connections that the policy would have opened
        self.not_permitted: tuple[str, ...] = ()  # names that the policy in force needs opened
        self._told: set[str] = set()  # names that were not opened although a verdict depends on what is inside
        self._store: certs.CertStore | None = None
        self._checked: Policy | None = None  # against the CA, or about to be

    def permits(self, host: Host | None) -> bool:
        """Whether a certificate for *host* can be signed; of what is no host, only by a CA without constraints."""
        known = self._current()
        if known is None:
            return self.unreadable is None
        return not known.constraints or (host is not None and known.permits(host))

    def may_open(self, request: Request) -> bool:
        """Whether TLS for *request* can be opened: its client expects a certificate for the server name it said."""
        return self.permits(_asked(request.names))

    def opens(self, policy: Policy, request: Request, wanted: bool) -> bool:
        """*wanted*, unless the CA forbids it; that is counted then, and told where a verdict depends on it."""
        if not wanted or self.may_open(request):
            return wanted
        self.left_closed += 1
        host = _asked(request.names)
        name = host.text if host is not None else "a connection without a name"
        if name not in self._told and len(self._told) < _MOST_LISTED and can_block_inside(policy, request):
            self._told.add(name)
            logger.warning(
                "embargo: %s is not opened, since the CA does not permit it: what is banned inside passes", name
            )
        return False

    def can_stay_closed(self, policy: Policy, request: Request) -> bool:
        """Whether TLS that was left closed may go on under *policy*: what cannot be opened is not cut for it."""
        return can_stay_closed(policy, request) or not self.may_open(request)

    def check(self, now: datetime) -> None:
        """Say at the start what is wrong with the CA."""
        known = self._current()
        if self.unreadable is not None:
            logger.warning("embargo: nothing is opened, since the CA cannot be read: %s", self.unreadable)
        if known is not None:
            for finding in known.findings(now):
                logger.warning("embargo: %s (SHA-256 %s)", finding, colons(known.fingerprint))
        if "onboarding" in ctx.options and ctx.options.onboarding:
            host = ctx.options.onboarding_host
            logger.warning("embargo: http://%s hands the CA's certificate to whoever asks; set onboarding=false", host)

    async def check_policy(self, policy: Policy, now: datetime) -> None:
        """Say which names the CA does not permit although a verdict of *policy* depends on what is inside.

        Found in a thread: ten thousand names take 0.1 s, and clients do not wait for it. The newest policy counts.
        """
        known, self._checked = self._current(), policy
        if known is None or not known.constrained:
            self.not_permitted = ()
            return
        missing, lists = await asyncio.to_thread(_missing, policy, known, now)
        if self._checked is not policy:
            return
        self.not_permitted = missing
        for name in missing[:_MOST_TOLD]:
            logger.warning("embargo: %s", not_permitted(name))
        if len(missing) > _MOST_TOLD:
            logger.warning("embargo: and %d names more; `embargo ca show` lists them", len(missing) - _MOST_TOLD)
        for names in lists:
            logger.warning("embargo: %s", too_many(names))
        if policy.settings.decrypt is Decrypt.ALL:
            logger.warning("embargo: decrypt is all, but the CA does not permit every name: other TLS stays closed")

    def describe(self, now: datetime) -> dict[str, Any] | None:
        """What `embargo status` shows at *now*; None while there is no CA."""
        known = self._current()
        if self.unreadable is not None:
            return {"error": self.unreadable}
        if known is None:
            return None
        return {
            **known.document(now),
            "not_permitted": list(self.not_permitted[:_MOST_LISTED]),
            "not_opened": self.left_closed,
        }

    def _current(self) -> CaFacts | None:
        """The facts of the CA in use; read anew where mitmproxy has loaded another."""
        config = _tls_config()
        store = config.certstore if config is not None else None
        if store is not self._store:
            self._store, self.facts, self.unreadable = store, None, None
            if config is not None and store is not None:
                self._read(config, store)
        return self.facts

    def _read(self, config: Any, store: certs.CertStore) -> None:
        chain = [each.to_cryptography() for each in store.default_chain_certs]
        own = store.default_ca.to_cryptography()
        try:
            self.facts = facts([own, *(each for each in chain if each != own)])
        except CertificateError as broken:
            self.unreadable = str(broken)
            return
        if self.facts.constraints:
            config.get_cert = _certificate_of(config)


def _missing(policy: Policy, known: CaFacts, now: datetime) -> tuple[tuple[str, ...], tuple[DomainList, ...]]:
    """The names and lists of which verdicts of *policy* depend on what is inside, beyond what the CA permits."""
    return missing_names(unpermitted(policy, known, now)), missing_lists(policy, known, now)


def _asked(names: tuple[Name, ...]) -> Host | None:
    for source in _ASKED_FIRST:
        for name in names:
            if name.source is source:
                return name.host
    return None


def _tls_config() -> Any:
    """mitmproxy's addon that holds the CA; None outside of a running proxy."""
    master = getattr(ctx, "master", None)
    return master.addons.get("tlsconfig") if master is not None else None


def _certificate_of(config: Any) -> Callable[[Context], certs.CertStoreEntry]:
    """In place of mitmproxy's choice of names, which adds those of the origin's certificate and the server's address.

    One of them outside the constraints, and the client refuses the whole certificate: it gets the name it asked for.
    """

    def get_cert(context: Context) -> certs.CertStoreEntry:
        address = context.server.address
        name = context.client.sni or (address[0] if address else context.client.sockname[0])
        store: certs.CertStore = config.certstore
        return store.get_cert(name, [_general_name(name)])

    return get_cert


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(canonical(name).text)
    except MalformedHost:
        return x509.DNSName(name.encode("ascii", "replace").decode("ascii"))
