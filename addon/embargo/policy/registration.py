"""The name under which a host was registered, by the Public Suffix List: example.co.uk of www.example.co.uk."""

from functools import cache

from publicsuffixlist import PublicSuffixList


def registered_name(host: str, *, private: bool = True) -> str | None:
    """The registered name of *host*, a canonical name, in some 6 µs; None where it has none.

    None for a public suffix itself, below a top-level domain that does not exist (`printer`, `nas.local`) or in which
    nobody registers (`nas.home.arpa`, RFC 8375), and for addresses. *private*: the list's private division counts too,
    so that alice.github.io is a name of its own, and not one of github.io.
    """
    top = host.rpartition(".")[2]
    if top.isdigit() or top == "arpa" or ":" in host:
        return None
    found: str | None = _list(private).privatesuffix(host)
    return found


@cache
def _list(private: bool) -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=not private)  # parsed in some 0.1 s
