"""How a client stands in a record: whole, as its network, or by a pseudonym (`settings.privacy.client`).

Masking comes before the seal, so that what is kept can be proved whole. A masked form is never in a field for
addresses (`source.ip`, `related.ip`): a reader would take it for one. The port goes too: with a firewall's log it
tells who it was.
"""

from ipaddress import ip_network

from embargo.core.address import parse_address
from embargo.core.rules import ClientForm
from embargo.journal.pseudonym import Pseudonyms

KEPT_BITS = {4: 24, 6: 48}  # of an address, by version: what is left when it is truncated


def masked(client: str, form: ClientForm, pseudonyms: Pseudonyms | None) -> str | None:
    """What stands for *client* where *form* is not full; None: nothing does, since it cannot be made."""
    if form is ClientForm.PSEUDONYM:
        return pseudonyms.of(client) if pseudonyms is not None else None
    return truncated(client)


def truncated(client: str) -> str | None:
    """The first address of the /24 or /48 of *client*; None where that is no address."""
    address = parse_address(client.lower())
    if address is None:
        return None
    network = ip_network((address.packed, KEPT_BITS[address.version]), strict=False)
    return str(network.network_address)
