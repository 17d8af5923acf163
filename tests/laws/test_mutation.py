"""Laws of mutation testing: what is called without effect changes no verdict, whatever is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from embargo.core.decide import decide
from embargo.core.request import Request, Surface
from embargo.core.rules import Policy
from embargo.policy.cases import enforcing
from embargo.policy.mutation import Mutations, Outcome
from policy_files import loaded
from policy_text import catalogue, listed_names, rule_entries, text, writable
from strategies import START, policies, requests


@contextmanager
def directory() -> Iterator[Path]:
    with TemporaryDirectory() as path:
        yield Path(path)


def possible(request: Request) -> Request:
    """*request* with what its surface can show, as the proxy gathers it."""
    inside = request.surface in (Surface.HTTP, Surface.WEBSOCKET)
    return replace(
        request,
        target=request.target if inside else None,
        user_agent=request.user_agent if inside or request.surface is Surface.CONNECT else None,
        transport="udp" if request.surface in (Surface.QUIC, Surface.UDP) else "tcp",
    )


@settings(deadline=None)  # it builds policies
@given(policies(), policies(), st.lists(requests(), min_size=1, max_size=10))
def test_a_varied_policy_decides_as_one_built_anew(drawn: Policy, other: Policy, asked: list[Request]) -> None:
    """Nothing of the former rules, settings or apps is remembered."""
    for request in asked:
        decide(drawn, request)  # which remembers
    rules = tuple(replace(rule, id=f"other-{number}") for number, rule in enumerate(other.rules))
    varied = drawn.varied(rules=rules, settings=other.settings)
    built = replace(drawn, rules=rules, settings=other.settings)
    for request in asked:
        assert decide(varied, request) == decide(built, request)


@settings(deadline=None)  # it writes files, and asks thousands of requests
@given(policies(), st.lists(requests(), min_size=5, max_size=30), st.data())
def test_what_has_no_effect_has_none(drawn: Policy, asked: list[Request], data: st.DataObject) -> None:
    """Where no request that stands for the others is judged otherwise, no other request is.

    Neither by verdict nor by deciding rule, of any number of names. It was asked at START, and holds at any time.
    """
    policy = writable(drawn)
    assume(policy.rules)
    content = catalogue(policy) | {"rules": rule_entries(policy.rules)}
    lists = {f"lists/{number}.txt": "\n".join(names) for number, names in enumerate(listed_names(policy))}
    with directory() as path:
        found = loaded(path, {"policy.yaml": text(content), **lists})
        known = Mutations(found, [], START)
        mutation = data.draw(st.sampled_from(list(known.of_rules())))
        trial = known.attempt(mutation)
        event(f"{trial.outcome}, {'whole' if trial.whole else 'a sample'}")
        if trial.outcome is not Outcome.NO_EFFECT or not trial.whole:
            return
        before, after = enforcing(found.policy), mutation.policy_of(0)
        for request in map(possible, asked):
            one, other = decide(before, request), decide(after, request)
            told = (one.verdict, one.rule_id, one.apps, one.would, one.anonymous)
            assert told == (other.verdict, other.rule_id, other.apps, other.would, other.anonymous)
