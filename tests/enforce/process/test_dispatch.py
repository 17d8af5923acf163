"""Cached dispatch beside mitmproxy's own: the same hooks, in the same order, with the same ends."""

import asyncio
import logging
import tempfile
import types
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import addonmanager, exceptions, hooks
from mitmproxy.addonmanager import AddonManager
from mitmproxy.addons.script import Script
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.proxy.server_hooks import ClientConnectedHook
from mitmproxy.test import taddons, tflow

from embargo.enforce.process import dispatch
from embargo.enforce.process.dispatch import CachedDispatch

type Chain = list[object]
type Said = list[str]


class Addon:
    """Says its name at each hook, and then does what it was made to do."""

    def __init__(self, name: str, said: Said, act: Callable[[], object] | None = None, *addons: object) -> None:
        self.name = name
        self.addons = list(addons)
        self._said = said
        self._act = act

    def request(self, flow: Any) -> object:
        self._said.append(self.name)
        return self._act() if self._act is not None else None


def fail() -> None:
    raise ValueError("broken")


def halt() -> None:
    raise exceptions.AddonHalt


def refuse_options() -> None:
    raise exceptions.OptionsError("no")


def after(said: Said, name: str) -> Callable[[], object]:
    async def later() -> None:
        said.append(f"{name} awaited")

    return later


CHAINS: dict[str, Callable[[Said], Chain]] = {
    "nobody": lambda said: [],
    "in order": lambda said: [Addon("a", said), Addon("b", said)],
    "children after their parent": lambda said: [
        Addon("a", said, None, Addon("a1", said, None, Addon("a11", said)), Addon("a2", said)),
        Addon("b", said),
    ],
    "AddonHalt ends the chain": lambda said: [Addon("a", said, halt), Addon("b", said)],
    "AddonHalt of a child ends it too": lambda said: [
        Addon("a", said, None, Addon("a1", said, halt)),
        Addon("b", said),
    ],
    "a failure skips the rest of its item alone": lambda said: [
        Addon("a", said, None, Addon("a1", said, fail), Addon("a2", said)),
        Addon("b", said),
    ],
    "awaited hooks": lambda said: [Addon("a", said, after(said, "a")), Addon("b", said, after(said, "b"))],
    "OptionsError comes out": lambda said: [Addon("a", said, refuse_options), Addon("b", said)],
    "a module of a hook's name is none": lambda said: [
        types.SimpleNamespace(name="m", request=types.ModuleType("request")),
        Addon("b", said),
    ],
    "what cannot be called is said each time": lambda said: [
        types.SimpleNamespace(name="m", request="text"),
        Addon("b", said),
    ],
    "update follows for a flow": lambda said: [
        Addon("a", said),
        types.SimpleNamespace(name="u", update=lambda flows: said.append(f"update of {len(flows)}")),
    ],
}


type Scenario = Callable[[AddonManager], Awaitable[None]]


def with_manager(scenario: Scenario, *, cached: bool) -> None:
    """Run *scenario* in a mitmproxy of its own."""

    async def run() -> None:
        with taddons.context() as context:
            if cached:
                assert dispatch.install(context.master.addons)
            try:
                await scenario(context.master.addons)
            finally:
                context.master._legacy_log_events.uninstall()  # as mitmproxy does when it ends

    asyncio.run(run())


async def outcome(manager: AddonManager, chain: Chain, said: Said, caplog: pytest.LogCaptureFixture) -> list[object]:
    """What was called and logged in two flows, and what came out."""
    manager.add(*chain)
    found: list[object] = []
    for _ in range(2):
        try:
            await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))
        except exceptions.OptionsError as error:
            found.append(repr(error))
    return [*found, *said, *(record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR)]


@pytest.mark.parametrize("make", CHAINS.values(), ids=CHAINS)
def test_as_mitmproxy_does(make: Callable[[Said], Chain], caplog: pytest.LogCaptureFixture) -> None:
    outcomes: list[list[object]] = []

    async def scenario(manager: AddonManager) -> None:
        said: Said = []
        caplog.clear()
        outcomes.append(await outcome(manager, make(said), said, caplog))

    with_manager(scenario, cached=False)
    with_manager(scenario, cached=True)
    stock, ours = outcomes
    assert [str(line).split(" at 0x")[0] for line in ours] == [str(line).split(" at 0x")[0] for line in stock]


async def call(manager: AddonManager) -> None:
    await manager.handle_lifecycle(HttpRequestHook(tflow.tflow()))


async def addons_that_come_and_go(manager: AddonManager) -> None:
    said: Said = []
    a, b = Addon("a", said), Addon("b", said)
    manager.add(a)
    await call(manager)
    manager.add(b)
    await call(manager)
    manager.remove(a)
    await call(manager)
    assert said == ["a", "a", "b", "b"]


async def a_chain_that_is_replaced(manager: AddonManager) -> None:
    """As our own gate does, which stands in the chain without being registered."""
    said: Said = []
    manager.add(Addon("a", said))
    await call(manager)
    manager.chain = [Addon("gate", said), *manager.chain]
    await call(manager)
    assert said == ["a", "gate", "a"]


async def a_script_that_is_reloaded(manager: AddonManager) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "script.py"
        path.write_text("def request(flow): flow.metadata['by'] = 'first'\n")
        script = Script(str(path), True)
        manager.add(script)
        script.loadscript()
        for text, by in (
            (None, "first"),
            ("def request(flow): flow.metadata['by'] = 'second'\n", "second"),
            ("", None),
        ):
            if text is not None:
                path.write_text(text)
                script.loadscript()
            flow = tflow.tflow()
            await manager.handle_lifecycle(HttpRequestHook(flow))
            assert flow.metadata.get("by") == by
        script.done()


async def a_hook_that_is_replaced(manager: AddonManager) -> None:
    said: Said = []
    a, b = Addon("a", said), Addon("b", said)
    manager.add(a, b)
    await call(manager)
    a.request = lambda flow: said.append("another")  # type: ignore[method-assign, assignment]
    await call(manager)
    assert said == ["a", "b", "another", "b"]


async def what_is_no_flow_has_no_update(manager: AddonManager) -> None:
    said: Said = []
    manager.add(types.SimpleNamespace(name="u", update=said.append, client_connected=lambda client: said.append("c")))
    await manager.handle_lifecycle(ClientConnectedHook(tflow.tclient_conn()))
    assert said == ["c"]


SCENARIOS = [
    addons_that_come_and_go,
    a_chain_that_is_replaced,
    a_script_that_is_reloaded,
    a_hook_that_is_replaced,
    what_is_no_flow_has_no_update,
]


@pytest.mark.parametrize("cached", [False, True], ids=["mitmproxy", "cached"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenario(scenario: Scenario, cached: bool) -> None:
    with_manager(scenario, cached=cached)


def test_hooks_are_looked_up_once() -> None:
    asked: list[str] = []

    class Counting:
        name = "counting"

        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

    async def scenario(manager: AddonManager) -> None:
        manager.add(Counting())
        await call(manager)
        first = asked.count("request")
        await call(manager)
        assert asked.count("request") == first == 1

    with_manager(scenario, cached=True)


def test_another_mitmproxy_keeps_its_own(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(dispatch, "VERSION", "99.0")

    async def scenario(manager: AddonManager) -> None:
        assert not dispatch.install(manager)
        assert type(manager) is AddonManager

    with caplog.at_level(logging.INFO, "embargo"):
        with_manager(scenario, cached=False)
    assert "as mitmproxy 99.0 does" in caplog.text


def test_the_arguments_are_the_events_own() -> None:
    event = hooks.UpdateHook([tflow.tflow()])
    assert dispatch._arguments(event) == event.args()


def test_it_is_mitmproxys_manager_that_is_compared_with() -> None:
    """A new method there would have to be looked at here."""
    ours = {name for name in vars(CachedDispatch) if not name.startswith("__")}
    assert {"register", "remove", "handle_lifecycle", "trigger_event"} <= ours
    assert {name for name in vars(addonmanager.AddonManager) if not name.startswith("__")} == {
        "_configure_all", "clear", "get", "register", "add", "remove", "handle_lifecycle", "_iter_hooks",
        "invoke_addon", "invoke_addon_sync", "trigger_event", "trigger",
    }  # fmt: skip
