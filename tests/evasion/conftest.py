"""One origin, one certificate authority, and one proxy for each set of options, each asked once for all its cases."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from evasion import bare
from evasion.all_cases import CASES
from evasion.campaign import AT_ONCE, Pair, attach, run
from evasion.origin import Origin
from evasion.subjects import Bare, Setting, embargo

HERE = Path(__file__).parent
BOUND = 14.0  # seconds in which a banned client must have its refusal; a body that does not end takes 10 of them
BARE_BOUND = 2.0  # seconds after which mitmproxy itself is taken to hang


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def the_origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    origin = Origin(tmp_path_factory.mktemp("origin"))
    yield origin
    origin.stop()


@pytest.fixture(scope="session")
def confdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("confdir")


type Results = dict[str, dict[str, Pair]]  # by mode and case


@pytest.fixture(scope="session")
def bare_results(the_origin: Origin, confdir: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Results]:
    """What comes of cases behind mitmdump with some options, in some modes; the second *time* with more patience."""
    known: dict[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], int], Results] = {}

    def results(
        options: tuple[str, ...], modes: tuple[str, ...], names: tuple[str, ...] = tuple(CASES), time: int = 1
    ) -> Results:
        key = (options, modes, names, time)
        if key not in known:
            known[key] = {}  # where it fails, it does so once
            directory = tmp_path_factory.mktemp("bare")
            with closing(Setting(the_origin, directory, modes)) as setting:
                proxy = Bare(directory, confdir, the_origin, setting, settings(options))
                try:
                    proxy.wait_ready(setting)
                    setting.join()
                    known[key] = {
                        mode: run(
                            way,
                            [CASES[name] for name in names],
                            the_origin,
                            BARE_BOUND * time,
                            at_once=AT_ONCE if time == 1 else 4,
                        )
                        for mode, way in setting.ways.items()
                    }
                finally:
                    proxy.stop()
        return known[key]

    return results


@pytest.fixture(scope="session")
def embargo_results(
    the_origin: Origin, confdir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, tuple[str, ...], tuple[str, ...]], Results]:
    """What comes of all cases behind embargo: with some `settings.decrypt` and options, in some modes."""
    known: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Results] = {}

    def results(
        decrypt: str, options: tuple[str, ...], modes: tuple[str, ...], names: tuple[str, ...] = tuple(CASES)
    ) -> Results:
        key = (decrypt, options, modes)
        cases = [CASES[name] for name in names]
        if key not in known:
            known[key] = {}  # where it fails, it does so once
            table = bare.read()
            directory = tmp_path_factory.mktemp("proxy")
            with closing(Setting(the_origin, directory, modes)) as setting:
                proxy = embargo(directory, confdir, the_origin, setting, decrypt=decrypt, options=settings(options))
                try:
                    proxy.wait_ready()
                    setting.join()
                    found = {
                        mode: run(way, cases, the_origin, BOUND, table[mode]) for mode, way in setting.ways.items()
                    }
                    proxy.settled()
                    attach([pair for pairs in found.values() for pair in pairs.values()], proxy.records())
                finally:
                    proxy.stop()
            known[key] = found
        return known[key]

    return results


def settings(options: tuple[str, ...]) -> list[str]:
    return [part for option in options for part in ("--set", option)]
