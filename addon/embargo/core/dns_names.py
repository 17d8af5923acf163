"""The names by which DNS questions and answers are judged."""

from embargo.core.address import Address
from embargo.core.dns_message import Message, Question, Type
from embargo.core.hostname import Host
from embargo.core.request import Name, Source

_OF_THE_ROOT: frozenset[int] = frozenset({Type.NS, Type.SOA, Type.DS, Type.RRSIG, Type.NSEC, Type.DNSKEY, Type.ZONEMD})
_OF_HOSTS: frozenset[int] = frozenset({Type.A, Type.AAAA})


def name_asked(question: Question) -> Name | None:
    """The name by which *question* is judged; None for the root where a resolver asks about it (RFC 8109).

    A name of DNS may hold any octet; one that is no host is judged by what of it is one: `My Printer._ipp.x.test` by
    `_ipp.x.test`. Where an address is asked for there is no such mercy: mitmproxy's own resolver reads escapes in
    the name (measured: it asks `b\\141nned.test` for `banned.test`), and no host is spelled so.
    """
    if not question.name and question.type in _OF_THE_ROOT:
        return None
    return _name(Source.QUESTION, question.name, whole=question.type in _OF_HOSTS)


def names_led_to(message: Message) -> list[Name]:
    """Every name and address to which the answers of *message* lead, as far as it is a host."""
    return [name for where in message.leads() if (name := _name_led_to(where)) is not None]


def _name_led_to(where: str | Address) -> Name | None:
    """The name to judge of something to which an answer leads; None where nothing of it is a host."""
    if not isinstance(where, str):
        return Name(Source.ANSWER, str(where), Host(str(where), where))
    name = _name(Source.ANSWER, where, whole=False)
    return name if name.host is not None else None


def _name(source: Source, text: str, *, whole: bool) -> Name:
    name = Name.parse(source, text)
    rest = text
    while name.host is None and not whole and (rest := rest.partition(".")[2]):
        name = Name(source, text, Name.parse(source, rest).host)
    return name
