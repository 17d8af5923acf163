"""The entries of the catalogue: each once, at its place, and known again in the matcher."""

from pathlib import Path

from embargo.core.matcher import Entry
from embargo.core.request import Name, Source
from embargo.policy.build import MOST_INLINE
from embargo.policy.entries import CatalogueEntry, Sort, entries_of
from policy_files import loaded
from sample import request

BELOW = """\
version: 1
apps:
  a:
    endpoints:
      - a.example
      - {host: h.example, role: cdn}
    exclude: [x.a.example]
    endpoints_from: [lists/a.txt]
    stores: {apple: 123, google_play: [com.example.a]}
  gone: {endpoints: [gone.example]}
"""
ABOVE = """\
version: 1
apps:
  a: {extend: true, endpoints: [more.example, a.example]}
  gone: {endpoints: [other.example]}
"""
FILES = {"0.layer.yaml": BELOW, "1.layer.yaml": ABOVE, "lists/a.txt": "l.example\nm.example\n"}


def test_entries(tmp_path: Path) -> None:
    found = entries_of(loaded(tmp_path, FILES))
    assert [(each.app, each.sort.value, each.text, each.place, each.path) for each in found] == [
        ("a", "endpoint", "domain:a.example", "1.layer.yaml:3:47", "apps.a.endpoints[1]"),
        ("a", "endpoint", "host:h.example", "0.layer.yaml:6:9", "apps.a.endpoints[1]"),
        ("a", "exclude", "domain:x.a.example", "0.layer.yaml:7:15", "apps.a.exclude[0]"),
        ("a", "list", "lists/a.txt", "0.layer.yaml:8:22", "apps.a.endpoints_from[0]"),
        ("a", "store", "apple:123", "0.layer.yaml:9:21", "apps.a.stores.apple"),
        ("a", "store", "google_play:com.example.a", "0.layer.yaml:9:40", "apps.a.stores.google_play[0]"),
        ("a", "endpoint", "domain:more.example", "1.layer.yaml:3:33", "apps.a.endpoints[0]"),
        ("gone", "endpoint", "domain:other.example", "1.layer.yaml:4:22", "apps.gone.endpoints[0]"),
    ]


def test_each_is_known_again_in_the_matcher(tmp_path: Path) -> None:
    found = loaded(tmp_path, FILES)
    known = {(each.sort, each.text): each for each in entries_of(found)}

    def only(host: str, target: str | None = None) -> CatalogueEntry:
        asked = request(host, target=target)
        name = Name.parse(Source.HOST, host)
        assert name.host is not None
        matcher = found.policy.matcher
        entries: list[Entry] = [*matcher.entries_of_host(name.host), *matcher.urls_of_host(host)]
        covering = [entry for entry in entries if entry.endpoint.pattern.covers(name, asked)]
        (same,) = {each for each in known.values() for entry in covering if each.is_of(entry)}
        return same

    assert only("a.example") is known[Sort.ENDPOINT, "domain:a.example"]
    assert only("l.example") is known[Sort.LIST, "lists/a.txt"]
    assert only("apps.apple.com", "/us/app/a/id123") is known[Sort.STORE, "apple:123"]


def test_a_long_list_of_plain_names_is_one_entry(tmp_path: Path) -> None:
    names = ", ".join(f"n{number}.example" for number in range(MOST_INLINE + 1))
    found = entries_of(loaded(tmp_path, f"version: 1\napps: {{a: {{endpoints: [{names}, {{host: h.example}}]}}}}\n"))
    assert [(each.sort.value, each.text) for each in found] == [("list", "policy.yaml"), ("endpoint", "host:h.example")]
