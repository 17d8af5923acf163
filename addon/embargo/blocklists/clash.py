"""Clash (and Surge, whose lists read alike): rule providers as YAML (`payload:`), and lists of rules, one a line.

`DOMAIN-SUFFIX` is a name and all below it, `DOMAIN` that name alone, `IP-CIDR` a network; of a provider of behaviour
`domain`, `+.name` is the name and all below it and a bare name that name alone. `.name` is below the name alone in
Clash and with the name itself in Surge: it is read as Surge does, and told. A policy under a rule (`,DIRECT`) is left
out: it is for the provider's own use. The forms are described at wiki.metacubex.one/config/rule-providers/content.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network

from embargo.blocklists.item import Broken, Item, Listed, Place, Unsaid
from embargo.blocklists.tree import Leaf, parse_tree
from embargo.core.pattern import Kind

_KINDS = {
    "DOMAIN-SUFFIX": Kind.DOMAIN,
    "DOMAIN": Kind.HOST,
    "HOST-SUFFIX": Kind.DOMAIN,  # as Quantumult has it
    "HOST": Kind.HOST,
    "IP-CIDR": Kind.CIDR,
    "IP-CIDR6": Kind.CIDR,
    "IP6-CIDR": Kind.CIDR,
}
_WORDS = {"DOMAIN-KEYWORD": "keyword", "HOST-KEYWORD": "keyword", "DOMAIN-REGEX": "regular expression"}
_DOTTED = "names written with a leading dot are taken with the name itself, as Surge does"
_RULE = re.compile(r"([A-Z][A-Z0-9-]*)\s*,\s*(.*)")


def parse_provider(text: str, name: str) -> Iterator[Item]:
    """The rules under `payload:` (or `rules:`) in *text*, a file called *name*. Raises NoTree."""
    tree = parse_tree(text)
    rules = (tree.get("payload", tree.get("rules")) if isinstance(tree, dict) else tree) or []
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, Leaf) and rule.text.strip():
            yield of_rule(rule.text.strip(), Place(file=name, line=rule.line, column=rule.column))


def parse_text(text: str, name: str) -> Iterator[Item]:
    """The rules of *text*, one a line, a file called *name*."""
    for number, line in enumerate(text.splitlines(), 1):
        rule = re.sub(r"\s+(?:#|//).*", "", line.strip())
        if rule and not rule.startswith(("#", "//", ";")):
            yield of_rule(rule, Place(file=name, line=number, column=line.index(rule) + 1))


def of_rule(rule: str, place: Place) -> Item:
    """What one *rule* says."""
    if (found := _RULE.fullmatch(rule)) is not None:
        word, value = found[1], found[2].split(",")[0].strip()
        if (kind := _KINDS.get(word)) is None:
            return Unsaid(what=_WORDS.get(word, word), text=rule, place=place)
        return Listed(kind=kind, text=value, place=place) if value else Broken(why=f"{word} of nothing", place=place)
    if "," in rule:
        return Broken(why=f"{rule[:80]!r} is no rule", place=place)
    if rule.startswith("+."):
        return Listed(kind=Kind.DOMAIN, text=rule[2:], place=place)
    if "*" in rule or "+" in rule:
        return Unsaid(what="wildcard", text=rule, place=place)
    if rule.startswith("."):
        return Listed(kind=Kind.DOMAIN, text=rule[1:], place=place, note=_DOTTED)
    return Listed(kind=Kind.CIDR if _is_network(rule) else Kind.HOST, text=rule, place=place)


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True
