# ruff: noqa: E501 - a case a line
"""Keys and values of the wrong kind: the exact message for each, with the nearest right word."""

from pathlib import Path

import pytest

from policy_files import golden, problems


def app(endpoints: str) -> str:
    return f"version: 1\napps:\n  a:\n    endpoints:\n      - {endpoints}\n"


def rule(criteria: str, more: str = "") -> str:
    return f"version: 1\napps: {{a: {{endpoints: [a.example]}}}}\n{more}rules:\n  - {{id: r, apps: a, action: log, {criteria}}}\n"


def settings(values: str) -> str:
    return f"version: 1\nsettings: {{{values}}}\n"


MISTAKES = {
    "version: missing": "rules: []\n",
    "version: of another format": "version: 2\n",
    "version: text": 'version: "1"\n',
    "version: true": "version: true\n",
    "unknown key at the top": "version: 1\nrule: []\n",
    "unknown key far from any": "version: 1\nfrobnicate: []\n",
    "unknown key in an app": "version: 1\napps: {a: {endpoint: [a.example]}}\n",
    "unknown key in an endpoint": app("{domain: a.example, rolle: cdn}"),
    "unknown key in a rule": rule("surface: dns"),
    "a key of a schedule in a rule": rule('hours: "22:00-06:00"'),
    "a selector's key in a rule": rule("named_in: eo"),
    "unknown key in settings": settings("mod: monitor"),
    "unknown key in settings.log": settings("log: {flsh: 200ms}"),
    "a census that is on": settings("census: on"),
    "a list where a mapping belongs": "version: 1\napps: [a]\n",
    "a mapping where a list belongs": "version: 1\nrules: {id: a}\n",
    "text where a list belongs": "version: 1\napps: {a: {endpoints: a.example}}\n",
    "a number as text": rule("reason: 5"),
    "a number as id": "version: 1\nrules: [{id: 1, apps: all, action: log}]\n",
    "an id with blanks": "version: 1\nrules: [{id: my rule, apps: all, action: log}]\n",
    "an app called all": "version: 1\napps: {all: {endpoints: [a.example]}}\n",
    "a rule called default": "version: 1\nrules: [{id: default, apps: all, action: log}]\n",
    "YAML 1.1: no": rule("shared: no"),
    "YAML 1.1: on": rule("shadow: on"),
    "YAML 1.1: a quoted boolean": rule('enabled: "true"'),
    "an unknown role": app("{domain: a.example, role: cdm}"),
    "an unknown action": "version: 1\nrules: [{id: r, apps: all, action: blok}]\n",
    "an unknown surface": rule("surfaces: [dns, htp]"),
    "an unknown state": rule("authority: inforce"),
    "an unknown way to respond": rule("respond: [page, nxdomian]"),
    "an unknown mode": settings("mode: monitr"),
    "an unknown form of the client": settings("privacy: {client: masked}"),
    "an empty list of criteria": rule("roles: []"),
    "an empty list of endpoints": "version: 1\napps: {a: {endpoints: []}}\n",
    "empty text": rule('reason: ""'),
    "a public suffix": app("co.uk"),
    "a private public suffix": app("{domain: github.io}"),
    "a name under a wildcard suffix": app("www.ck".replace("www", "shop")),
    "a whole TLD": app("com"),
    "a single label that is no TLD": app("intranet"),
    "a public suffix excluded": "version: 1\napps: {a: {endpoints: [a.example], exclude: [co.uk]}}\n",
    "an international public suffix": app("公司.cn"),
    "a wildcard": app('"*.a.example"'),
    "a leading dot": app(".a.example"),
    "a URL as domain": app("https://a.example/x?y=z"),
    "a filter rule": app('"||a.example^"'),
    "a line of a hosts file": app("0.0.0.0 a.example"),
    "a port at a domain": app('"a.example:8443"'),
    "a path at a domain": app("a.example/login"),
    "an address as domain": app("203.0.113.9"),
    "an address as host": app("{host: 203.0.113.9}"),
    "an address in octal": app("{domain: 0313.0.0161.011}"),
    "a network as domain": app("203.0.113.0/24"),
    "an empty label": app("a..example"),
    "a label too long": app("a" * 64 + ".example"),
    "blanks in a name": app("a b.example"),
    "an endpoint that is a number": app("5"),
    "an endpoint without pattern": app("{role: cdn}"),
    "an endpoint with two patterns": app("{domain: a.example, host: b.example}"),
    "a misspelt pattern": app("{domian: a.example}"),
    "a port at a domain's entry": app("{domain: a.example, port: 80}"),
    "a url with a scheme": app('{url: "https://a.example/x"}'),
    "a url without path": app("{url: a.example}"),
    "a url with a port": app('{url: "a.example:80/x"}'),
    "a url with a wildcard host": app('{url: "*.a.example/x"}'),
    "a url with a wildcard in the query": app('{url: "a.example/x?id=*"}'),
    "a network with host bits": app("{cidr: 203.0.113.9/24}"),
    "a network that is none": app("{cidr: 203.0.113.0/33}"),
    "a port out of range": app("{cidr: 203.0.113.0/24, port: 70000}"),
    "an unknown protocol": app("{cidr: 203.0.113.0/24, protocol: icmp}"),
    "an empty user agent": app('{user_agent: ""}'),
    "a store's id": "version: 1\napps: {a: {stores: {apple: [id333206289], google_play: [alipay], microsoft: [1.5]}}}\n",
    "an unknown store": "version: 1\napps: {a: {stores: {googleplay: []}}}\n",
    "a selector with both": rule("").replace("apps: a,", "apps: {named_in: eo, vendor: v},"),
    "a selector with neither": rule("").replace("apps: a,", "apps: {},"),
    "a selector that is misspelt": rule("").replace("apps: a,", "apps: {named-in: eo},"),
    "no apps at all": rule("").replace("apps: a,", "apps: [],"),
    "a rule without what it needs": "version: 1\nrules: [{}]\n",
    "a user agent among hosts": rule("hosts: {user_agent: x}"),
    "hosts that are none": rule("hosts: [a.example, co.uk]"),
    "an unknown word for unknown protocols": settings("unknown_protocol: blok"),
    "a url that is never decrypted": settings("never_decrypt: [{url: a.example/x}]"),
    "a schedule without times": rule("schedule: {timezone: UTC}"),
    "an unknown day": rule("schedule: {days: monday}"),
    "hours that no day has": rule('schedule: {hours: ["25:00-26:00"]}'),
    "hours that end where they begin": rule('schedule: {hours: "08:00-08:00"}'),
    "hours of another form": rule("schedule: {hours: 8am-5pm}"),
    "an unknown time zone": settings("timezone: Europe/Berln"),
    "a time zone in small letters": settings("timezone: europe/london/"),
    "a time without offset": rule("until: 2027-01-01T00:00:00"),
    "a day that no month has": rule("until: 2027-02-30"),
    "a date of another form": rule("until: 1.1.2027"),
    "a duration without unit": settings('log: {flush: "200"}'),
    "a duration that is a number": settings("log: {flush: 200}"),
    "a flush that loses too much": settings("log: {flush: 2m}"),
    "a retention of an hour": settings("log: {retention: 1h}"),
    "a size of another unit": settings("log: {rotate_size: 256MO}"),
    "a contact that is a script": settings('contact: "javascript:alert(1)"'),
    "a contact with an unknown placeholder": settings('contact: "https://help.example/{id}"'),
    "an authority's url": "version: 1\nauthorities: {a: {url: federalregister.gov}}\n",
    "a timeline's date": "version: 1\nauthorities: {a: {timeline: {2021-13-01: issued}}}\n",
    "a timeline's state": "version: 1\nauthorities: {a: {timeline: {2021-01-01: enforced}}}\n",
    "a group's network": "version: 1\ngroups: {g: {clients: [10.20.0.1/16]}}\n",
    "a message in no language": rule("message: {english: no}"),
    "a message that is a list": rule("message: [no]"),
    "a place for the rules": "version: 1\nrules_position: first\n",
    "a test that expects nothing": "version: 1\ntests: [{request: a.example}]\n",
    "a test's verdict": "version: 1\ntests: [{request: a.example, expect: blocked}]\n",
    "a test's status": "version: 1\ntests: [{request: a.example, status: 404}]\n",
    "a test's client": "version: 1\ntests: [{request: a.example, expect: pass, client: 10.0.0.0/8}]\n",
    "a test's scheme": 'version: 1\ntests: [{request: "ftp://a.example/", expect: pass}]\n',
}  # fmt: skip


def test_mistakes(tmp_path: Path) -> None:
    found = {case: problems(tmp_path, text) for case, text in MISTAKES.items()}
    assert [case for case, lines in found.items() if not lines] == []
    golden("fields", found)


TEN = """\
version: 1
setings: {mode: monitor}
apps:
  alipay:
    endpoints:
      - co.uk
      - {domain: alipay.com, role: cdm}
      - {cidr: 203.0.113.9/24}
    named_in: [eo-13971]
    named_in: [eo-13942]
rules:
  - {id: one, apps: alipya, action: block, until: 2021-02-30}
  - {id: two, apps: alipay, action: blok, groups: [reserch]}
  - {id: one, apps: alipay, action: log, shared: no}
groups: {research: {users: [alice]}}
authorities: {eo-13971: {}}
"""


def test_ten_mistakes_are_ten_errors(tmp_path: Path) -> None:
    found = problems(tmp_path, TEN)
    golden("ten-mistakes", {"a policy with eleven mistakes": found})
    assert len(found) == 11
    assert all(line.split(":")[1].isdigit() and line.split(":")[2].isdigit() for line in found)


GOOD = {
    "all defaults": "version: 1\n",
    "one value in place of a list": rule("roles: api, surfaces: dns, users: alice, clients: 10.0.0.1, respond: reset"),
    "a wildcard suffix's exception": app("www.ck"),
    "a whole suffix on purpose": app("{whole_suffix: true, domain: alipay}"),
    "a name that idna refuses": app("r3---sn-abc.googlevideo.com"),
    "capitals, a final dot, an international name": app("WWW.微信.Example."),
    "a number's look-alike": app("360.cn"),
    "a language that YAML 1.1 takes for false": rule("message: {no: Nei, de: Nein}"),
    "hours to midnight, over midnight": rule('schedule: {hours: ["22:00-24:00", "22:00-06:00"], days: [mon, sun]}'),
    "a time with offset": rule("from: 2021-02-19T08:00:00+08:00, until: 2027-01-01"),
    "a contact by mail": settings("contact: help@example.com"),
    "a contact by URL": settings('contact: "https://help.example.com/?incident={incident}"'),
    "durations and sizes": settings("log: {flush: 200ms, rotate_size: 256MiB, rotate_age: 1d, retention: 365d}"),
    "privacy": settings("privacy: {query: keep, client: full}"),
    "pseudonyms": settings("privacy: {client: pseudonym}"),
    "networks alone": settings("privacy: {client: truncated}"),
    "audit files longer": settings("log: {retention: 90d, audit_retention: 730d}"),
    "store ids as numbers and as text": "version: 1\napps: {a: {stores: {apple: [333206289, '444934666']}}}\n",
    "a test that expects no refusal": "version: 1\ntests: [{request: a.example, status: null}]\n",
    "ids of several kinds in one selector": rule("").replace("apps: a,", "apps: [a, {named_in: [eo]}, {vendor: V}],").replace(
        "rules:", "authorities: {eo: {}}\nrules:").replace("{endpoints", "{vendor: V, endpoints"),
}  # fmt: skip


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_good(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []
