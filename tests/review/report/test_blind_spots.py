from dataclasses import replace

from embargo.core.rules import Action, Decrypt, Policy, Settings
from embargo.enforce.uninspected import Uninspected
from embargo.review.report.blind_spots import REASONS, blind_spots, standing
from sample import endpoint


def test_every_reason_of_the_proxy_has_words() -> None:
    assert set(REASONS) == {reason.value for reason in Uninspected}


def test_the_most_first_and_none_of_nothing() -> None:
    found = blind_spots({"pinned": 2, "nameless": 30, "never-decrypt": 0, "new-reason": 1})
    assert [(each.reason, each.count) for each in found] == [("nameless", 30), ("pinned", 2), ("new-reason", 1)]
    assert all(each.words for each in found)


def test_what_a_policy_leaves_unseen() -> None:
    strict = Settings(decrypt=Decrypt.ALL, unknown_protocol=Action.BLOCK)
    assert standing(Policy(settings=strict)) == []
    bank = endpoint("bank.example").pattern
    said = standing(Policy(settings=replace(strict, decrypt=Decrypt.NONE, never_decrypt=(bank,) * 12)))
    assert "never opened (decrypt: none)" in said[0]
    assert said[1].endswith("bank.example and 2 more.")
    assert len(standing(Policy(settings=Settings(decrypt=Decrypt.NEEDED)))) == 2
    assert standing(None) == []
