"""AdGuard: the services of its HostlistsRegistry (YAML or JSON, one or all), and filter lists of rules for hosts.

A rule `||example.org^` is the name and all below it, `|example.org^` that name alone, `@@` before it an exception; a
bare name in a filter list is that name alone. What looks at more than the name (`$client`, `$dnstype`, …), paths,
regular expressions and `*` inside a name are not said by a policy; `$important` orders rules and says nothing here.
The syntax is described at github.com/AdguardTeam/AdGuardHome/wiki/Hosts-Blocklists.
"""

import re
from collections.abc import Iterator

from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid
from embargo.blocklists.tree import Leaf, Tree, parse_tree
from embargo.core.pattern import Kind

_HARMLESS = frozenset({"important"})
_NAME = re.compile(r"[^\s/*|^$,@#!]+")


class ChooseService(ValueError):
    """A file of several services, of which one has to be named."""

    def __init__(self, services: list[str]) -> None:
        super().__init__(f"it holds {len(services)} services")
        self.services = services


def services(text: str) -> dict[str, tuple[str, list[Leaf]]]:
    """Name and rules of each service in *text*, by id. Raises NoTree."""
    tree = parse_tree(text)
    found: dict[str, tuple[str, list[Leaf]]] = {}
    for service in _services(tree):
        identifier, name, rules = service.get("id"), service.get("name"), service.get("rules")
        key = identifier.text if isinstance(identifier, Leaf) else ""
        called = name.text if isinstance(name, Leaf) else key
        listed = rules if isinstance(rules, list) else []
        found[key] = (called, [rule for rule in listed if isinstance(rule, Leaf)])
    return found


def _services(tree: Tree) -> Iterator[dict[str, Tree]]:
    if isinstance(tree, dict):
        several = tree.get("blocked_services", tree.get("services"))
        if isinstance(several, list):
            tree = several
        else:
            yield tree
            return
    if isinstance(tree, list):
        yield from (each for each in tree if isinstance(each, dict))


def parse_service(text: str, name: str, service: str | None) -> Iterator[Item]:
    """The rules of one service in *text*, a file called *name*; the only one, or the one whose id is *service*.

    Raises NoTree, and ChooseService where that names none of several.
    """
    found = services(text)
    if len(found) > 1 and service not in found:
        raise ChooseService(sorted(found))
    chosen = found[service] if service in found and service is not None else next(iter(found.values()), ("", []))
    for rule in chosen[1]:
        yield of_rule(rule.text.strip(), Place(file=name, line=rule.line, column=rule.column))


def parse_filter(text: str, name: str) -> Iterator[Item]:
    """The rules of a filter list, a file called *name*."""
    for number, line in enumerate(text.splitlines(), 1):
        rule = line.strip()
        if rule and not rule.startswith(("!", "#", "[")):
            yield of_rule(rule, Place(file=name, line=number, column=line.index(rule) + 1))


def of_rule(rule: str, place: Place) -> Item:
    """What one *rule* says."""
    excluded = rule.startswith("@@")
    body = rule.removeprefix("@@")
    if body.startswith("/") and len(body) > 1 and body.rstrip("$").endswith("/"):
        return Unsaid(what="regular expression", text=rule, place=place)
    if re.search(r"#[@$%?]*#", body):
        return Unsaid(what="part of a page", text=rule, place=place)
    body, _, modifiers = body.partition("$")
    named = {modifier.partition("=")[0].strip() for modifier in modifiers.split(",") if modifier.strip()}
    if more := sorted(named - _HARMLESS):
        return Unsaid(what=f"modifier ${more[0]}", text=rule, place=place)
    anchored = body.lstrip("|")
    bars = len(body) - len(anchored)
    host, closed = (anchored[:-1], True) if anchored.endswith(("^", "|")) else (anchored, False)
    host = re.sub(r"^(?:[a-z]+:)?//", "", host)
    if "*" in host:
        return Unsaid(what="wildcard", text=rule, place=place)
    if "/" in host:
        return Unsaid(what="path", text=rule, place=place)
    if _NAME.fullmatch(host) is None:
        return Broken(why=f"{rule[:80]!r} is no rule for a host", place=place)
    if bars and not closed:
        return Unsaid(what="beginning of a name", text=rule, place=place)
    kind = Kind.DOMAIN if bars == 2 else Kind.HOST
    return Listed(kind=kind, text=host, place=place, excluded=excluded)
