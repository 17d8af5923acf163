"""By which names questions and answers are judged: what is no host is no way around a ban, and no innocent's fault."""

import pytest

from dns_writing import AAAA, PTR, SRV, TXT, A, query, wire
from embargo.core.address import parse_address
from embargo.core.dns_message import Message, Record, parse
from embargo.core.dns_names import name_asked, names_led_to

ASKED = {  # case: (name on the wire, type, the host by which it is judged; "" where it is refused)
    "plain": (wire("www.banned.test"), A, "www.banned.test"),
    "in mixed case": (wire("WwW.Banned.TEST"), A, "www.banned.test"),
    "an A-label": (wire("xn--bcher-kva.test"), A, "xn--bcher-kva.test"),
    "the same in UTF-8": (b"\x07b\xc3\xbccher\4test\0", A, "xn--bcher-kva.test"),
    "an underscore": (wire("_dmarc.banned.test"), TXT, "_dmarc.banned.test"),
    "an address": (wire("203.0.113.9"), A, "203.0.113.9"),
    "a service instance": (b"\x0aMy Printer\4_ipp\4_tcp\x06banned\4test\0", SRV, "_ipp._tcp.banned.test"),
    "a service instance asked for an address": (b"\x0aMy Printer\4_ipp\4test\0", AAAA, ""),
    "a classless reverse zone": (b"\x040/25\x012\x010\x03192\x07in-addr\x04arpa\0", PTR, "2.0.192.in-addr.arpa"),
    "an escape": (b"\x09b\\141nned\4test\0", A, ""),
    "an escape where no address is asked for": (b"\x09b\\141nned\4test\0", TXT, "test"),
    "a last label that is no host": (b"\4test\3a b\0", TXT, ""),
    "no name": (b"\0", A, ""),
}


@pytest.mark.parametrize(("name", "kind", "host"), ASKED.values(), ids=ASKED)
def test_asked(name: bytes, kind: int, host: str) -> None:
    judged = name_asked(parse(query(name, type=kind)).questions[0])
    assert judged is not None
    assert (str(judged.host) if judged.host is not None else "") == host


@pytest.mark.parametrize("kind", [2, 6, 43, 48])
def test_a_resolvers_questions_about_the_root_are_about_no_host(kind: int) -> None:
    assert name_asked(parse(query(b"\0", type=kind)).questions[0]) is None


def test_led_to() -> None:
    address = parse_address("203.0.113.9")
    assert address is not None
    records = (
        Record("asked.test", 5, 60, "Odd Label.To.test"),
        Record("0/25.2.0.192.in-addr.arpa", 12, 60),
        Record("*", 5, 60, "()"),
        Record("to.test", 1, 60, None, (address,)),
    )
    found = names_led_to(Message(id=1, flags=0x8000, questions=(), answers=records))
    assert [str(name.host) for name in found] == [
        "asked.test", "to.test", "2.0.192.in-addr.arpa", "to.test", "203.0.113.9",
    ]  # fmt: skip
    assert found[1].text == "Odd Label.To.test"
