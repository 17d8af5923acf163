"""Metrics of one process, asked for over HTTP as Prometheus does."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from embargo.enforce.metrics.own import OwnMetrics, access_of
from embargo.enforce.own_services import OwnServices
from worker_answers import answer

TOKEN = "0123456789abcdef0123"


async def get(address: tuple[str, int], *headers: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection(*address)
    writer.write("\r\n".join(["GET /metrics HTTP/1.1", "Host: x", *headers, "", ""]).encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split(" ")[1]), body


def served(access, *headers: str) -> tuple[int, str]:
    """Status and body of one scrape; while it is served no client of the proxy is led there."""
    services = OwnServices()

    async def scrape() -> tuple[int, str]:
        said: asyncio.Queue[str] = asyncio.Queue()
        metrics = OwnMetrics(lambda: answer(blocked=3), services)
        metrics.follow(access, said.put_nowait)
        told = await asyncio.wait_for(said.get(), 20)
        port = int(told.rpartition(":")[2].partition("/")[0])
        assert services.at("127.0.0.1", port)
        try:
            return await get(("127.0.0.1", port), *headers)
        finally:
            metrics.stop()
            assert not services.at("127.0.0.1", port)

    return asyncio.run(scrape())


def test_on_loopback_whoever_asks_is_answered() -> None:
    status, body = served(access_of("0", ""))
    families = {family.name: family for family in text_string_to_metric_families(body)}
    assert status == 200
    assert sum(sample.value for sample in families["embargo_decisions"].samples) == 108
    assert families["embargo_worker_up"].samples[0].value == 1


WITH_TOKEN = {
    "none": ([], 401),
    "the token": ([f"Authorization: Bearer {TOKEN}"], 200),
    "in another case": ([f"authorization: bearer {TOKEN}"], 200),
    "a wrong one": ([f"Authorization: Bearer {TOKEN}x"], 401),
    "a part of it": ([f"Authorization: Bearer {TOKEN[:-1]}"], 401),
    "an empty one": (["Authorization: Bearer "], 401),
    "a password": (["Authorization: Basic MDEyMzQ1Njc4OWFiY2RlZjAxMjM="], 401),
    "bytes": (["Authorization: Bearer é"], 401),
}


@pytest.mark.parametrize(("headers", "status"), WITH_TOKEN.values(), ids=WITH_TOKEN)
def test_a_token_is_asked_for(tmp_path: Path, headers: list[str], status: int) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    found, body = served(access_of("127.0.0.1:0", str(tmp_path / "token")), *headers)
    assert found == status
    assert ("embargo_decisions_total" in body) == (status == 200)


REFUSED = {  # case: (place, content of the token's file, what is said)
    "no port": ("metrics", None, "is no [ADDRESS:]PORT"),
    "open to all": ("0.0.0.0:9090", None, "can be reached from elsewhere"),
    "a name": ("proxy.example:9090", None, "can be reached from elsewhere"),
    "a short token": ("0.0.0.0:9090", "secret", "at least 16 printable characters"),
    "an empty token": ("0.0.0.0:9090", "", "at least 16 printable characters"),
    "a token with a blank": ("0.0.0.0:9090", "0123456789 0123456789", "no blank"),
    "a token that is none": ("0.0.0.0:9090", "é" * 20, "printable ASCII"),
}


@pytest.mark.parametrize(("place", "token", "told"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, place: str, token: str | None, told: str) -> None:
    if token is not None:
        (tmp_path / "token").write_text(token)
    with pytest.raises(ValueError) as refused:
        access_of(place, str(tmp_path / "token") if token is not None else "")
    assert told in str(refused.value)


def test_a_token_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        access_of("9090", str(tmp_path / "missing"))


def test_a_port_in_use_is_said() -> None:
    async def twice() -> str:
        said: asyncio.Queue[str] = asyncio.Queue()
        one, other = OwnMetrics(answer, OwnServices()), OwnMetrics(answer, OwnServices())
        one.follow(access_of("0", ""), said.put_nowait)
        port = (await said.get()).rpartition(":")[2].partition("/")[0]
        other.follow(access_of(port, ""), said.put_nowait)
        told = await asyncio.wait_for(said.get(), 20)
        one.stop()
        other.stop()
        return told

    assert "metrics cannot be served at 127.0.0.1:" in asyncio.run(twice())
