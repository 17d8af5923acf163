"""What befalls the proxy while it serves: reloads, a broken policy, lost workers, a clock that is set."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from e2e.clients import curl
from e2e.clock import DAY, Clock, in_days
from e2e.crew import Crew
from e2e.process import has_ended

POLICY = f"""\
version: 1
apps:
  bad: {{endpoints: [{{domain: banned.test}}]}}
  later: {{endpoints: [{{domain: later.test}}]}}
  sometimes: {{endpoints: [{{domain: sometimes.test}}]}}
rules:
  - {{id: grace, apps: later, action: log, until: {in_days(10)}}}
  - {{id: ban, apps: [bad, later], action: block}}
"""
STRICTER = POLICY.replace("[bad, later]", "[bad, later, sometimes]")
BROKEN = POLICY.replace("action: block", "action: blokc")


@dataclass(frozen=True)
class Event:
    """Something that happened to the proxy."""

    began: float  # monotonic seconds
    ended: float  # once the proxy was as it should be again
    what: str


class Story:
    """Tells a story of *length* seconds to *crew*, whose clock is *clock*; each step checks what it has changed."""

    def __init__(self, crew: Crew, clock: Clock, length: float) -> None:
        self.events: list[Event] = []
        self._crew, self._clock, self._length = crew, clock, length

    def tell(self) -> None:
        """All steps at their times, and reloads between them."""
        steps: dict[float, tuple[str, Callable[[], None]]] = {  # share of the length: step
            0.20: ("broken policy", self._break),
            0.35: ("worker 1 killed", lambda: self._kill(1)),
            0.55: ("clock + 15 days", lambda: self._leap(15 * DAY, 403)),
            0.65: ("clock back", lambda: self._leap(0, 200)),
            0.75: ("worker 2 killed", lambda: self._kill(2)),
            **{share / 100: ("reload", self._reload) for share in (5, 10, 15, 25, 30, 45, 50, 60, 85, 90)},
        }
        begun = time.monotonic()
        for share, (what, step) in sorted(steps.items()):
            time.sleep(max(0.0, begun + share * self._length - time.monotonic()))
            began = time.monotonic()
            step()
            self.events.append(Event(began, time.monotonic(), what))
        time.sleep(max(0.0, begun + self._length - time.monotonic()))

    def _ask(self, host: str) -> set[int]:
        return {curl(self._crew.proxy, f"http://{host}/").status for _ in range(4)}

    def _digests(self) -> list[str]:
        return [answer["policy"]["digest"] for answer in self._crew.statuses()]

    def _write(self, text: str) -> None:
        beside = self._policy.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self._policy)

    @property
    def _policy(self) -> Path:
        return self._crew.proxy.policy

    def _reload(self) -> None:
        before = set(self._digests())
        lenient = self._policy.read_text() == STRICTER
        self._write(POLICY if lenient else STRICTER)
        self._crew.proxy.wait(
            lambda: len(now := self._digests()) == self._crew.count and not before & set(now), "both to take it up"
        )
        assert self._ask("sometimes.test") == {200 if lenient else 403}

    def _break(self) -> None:
        good, before = self._policy.read_text(), self._digests()
        self._write(BROKEN)
        self._crew.proxy.wait(lambda: all(answer["refused"] for answer in self._crew.statuses()), "the refusal")
        assert self._ask("banned.test") == {403}
        assert self._digests() == before
        self._write(good)
        self._crew.proxy.wait(lambda: not any(answer["refused"] for answer in self._crew.statuses()), "the mend")

    def _kill(self, number: int) -> None:
        (pid,) = (answer["pid"] for answer in self._crew.wait_whole() if answer["worker"]["number"] == number)
        os.kill(pid, signal.SIGKILL)
        self._crew.proxy.wait(lambda: has_ended(pid), "its end")
        assert self._ask("banned.test") == {403}
        self._crew.wait_whole(without=[pid])
        assert self._ask("banned.test") == {403}

    def _leap(self, shift: float, status: int) -> None:
        before = [answer["next_change"] for answer in self._crew.statuses()]
        self._clock.set(shift)
        self._crew.proxy.wait(
            lambda: all(
                answer["next_change"] != old for answer, old in zip(self._crew.statuses(), before, strict=True)
            ),
            "the clock to be noticed",
        )
        assert self._ask("later.test") == {status}
        assert self._ask("banned.test") == {403}
