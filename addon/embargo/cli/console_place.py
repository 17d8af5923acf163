"""Where a console is: the names by which it may be asked for, and its address."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Any


def hosts(host: str, names: tuple[str, ...], certificate: Path | None) -> tuple[str, ...]:
    """What the Host header may be: in lower case, addresses of IPv6 in brackets."""
    found = ["localhost", "127.0.0.1", "[::1]", *(name.lower().rstrip(".") for name in names)]
    try:
        if not (address := ip_address(host)).is_unspecified:
            found.append(f"[{address.compressed}]" if address.version == 6 else str(address))
    except ValueError:
        found.append(host.lower())
    if certificate is not None:
        found += certified(certificate)
    return tuple(dict.fromkeys(found))


def certified(certificate: Path) -> list[str]:
    """The names and addresses that *certificate* is for, without wildcards."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, OSError, x509.ExtensionNotFound):
        return []  # what is wrong with it the server says
    addresses = names.get_values_for_type(x509.IPAddress)
    return [
        *(name.lower() for name in names.get_values_for_type(x509.DNSName) if "*" not in name),
        *(f"[{address.compressed}]" if address.version == 6 else str(address) for address in addresses),
    ]


def address(settings: Any, host: str, port: int, names: tuple[str, ...]) -> str:
    """The URL of a console with *settings*; *names* are those by which browsers reach it."""
    if settings.access.secure and not settings.access.direct:
        return f"https://{names[0] if names else 'localhost'}/"  # the proxy's, whose port we do not know
    shown = names[0] if names else "localhost" if host in ("0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown
    return f"{'https' if settings.access.secure else 'http'}://{shown}:{port}/"


def why_not(failure: OSError) -> str:
    """Why nothing can listen, of what cheroot makes of it: `No socket could be created -- (… [Errno 98] WORDS)`."""
    words = re.findall(r"\[Errno -?[0-9]+\] ([^()\[\]]+)", str(failure))
    return words[-1].strip() if words else str(failure)
