"""No client of the proxy is led to embargo's own services, however their place is spelled."""

import socket

import pytest

from embargo.core.address import parse_address
from embargo.enforce.own_services import OwnServices, is_own, place_of, places

NAMED = {  # case: (where a service listens, what is asked for, whether that is it)
    "loopback": ("127.0.0.1:8090", ("127.0.0.1", 8090), True),
    "another port": ("127.0.0.1:8090", ("127.0.0.1", 8091), False),
    "another machine": ("127.0.0.1:8090", ("192.0.2.1", 8090), False),
    "a name": ("127.0.0.1:8090", ("innocent.test", 8090), False),
    "localhost": ("127.0.0.1:8090", ("LocalHost.", 8090), True),
    "a name below localhost": ("127.0.0.1:8090", ("x.localhost", 8090), True),
    "in two parts": ("127.0.0.1:8090", ("127.1", 8090), True),
    "as one number": ("127.0.0.1:8090", ("2130706433", 8090), True),
    "in hexadecimal": ("127.0.0.1:8090", ("0x7F.0.0.1", 8090), True),
    "in octal": ("127.0.0.1:8090", ("0177.0.0.01", 8090), True),
    "mapped to IPv6": ("127.0.0.1:8090", ("::ffff:127.0.0.1", 8090), True),
    "in brackets": ("127.0.0.1:8090", ("[::ffff:7f00:1]", 8090), True),
    "no address at all": ("127.0.0.1:8090", ("0.0.0.0", 8090), True),
    "nor of IPv6": ("127.0.0.1:8090", ("::", 8090), True),
    "the rest of loopback": ("127.0.0.1:8090", ("127.9.9.9", 8090), True),
    "of IPv6": ("[::1]:8090", ("::1", 8090), True),
    "with a zone": ("[::1]:8090", ("::1%lo", 8090), True),
    "at each address: loopback": ("0.0.0.0:8090", ("127.0.0.1", 8090), True),
    "at each address: another machine": ("0.0.0.0:8090", ("192.0.2.1", 8090), False),
    "of a name: loopback": ("console.test:8090", ("127.0.0.1", 8090), True),
    "at one address": ("192.0.2.1:8090", ("192.0.2.1", 8090), True),
    "at one address: loopback": ("192.0.2.1:8090", ("127.0.0.1", 8090), False),
    "not known yet": ("127.0.0.1:0", ("127.0.0.1", 0), False),
}


@pytest.mark.parametrize(("listens", "asked", "found"), NAMED.values(), ids=NAMED)
def test_at(listens: str, asked: tuple[str, int], found: bool) -> None:
    services = OwnServices()
    services.name("options", places([listens]))
    assert services.at(*asked) is found


def test_who_names_places_anew_takes_back_his_own_alone() -> None:
    services = OwnServices()
    services.name("options", places(["8090"]))
    services.name("metrics", places(["9090"]))
    services.name("metrics", ())
    assert (services.at("127.0.0.1", 8090), services.at("127.0.0.1", 9090)) == (True, False)


def test_the_machines_own_addresses() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # sends nothing
            own = asked.getsockname()[0]
        except OSError:
            own = "127.0.0.1"  # a machine without a way out
    address, loopback, foreign = map(parse_address, (own, "127.0.0.1", "192.0.2.1"))
    assert address is not None and loopback is not None and foreign is not None
    assert (is_own(address), is_own(loopback), is_own(foreign)) == (True, True, False)


URLS = {  # case: (embargo_console, the place)
    "loopback": ("http://127.0.0.1:8090", (("127.0.0.1", 8090),)),
    "localhost": ("http://localhost:8090/", (("localhost", 8090),)),
    "IPv6": ("https://[::1]/console", (("::1", 443),)),
    "a name, which may be others' too": ("https://portal.test/embargo", ()),
    "no URL": ("http://[", ()),
    "nothing": ("", ()),
}


@pytest.mark.parametrize(("url", "found"), URLS.values(), ids=URLS)
def test_place_of(url: str, found: object) -> None:
    assert place_of(url) == found
