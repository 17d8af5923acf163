"""Warnings on exemptions that are for everybody, whatever their reason says."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

from embargo.core.address import Network
from embargo.core.rules import Action, Rule
from embargo.policy.problem import Problem
from embargo.policy.survey import Survey

_ALL_IPV4, _ALL_IPV6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")
_INTERNET = IPv6Network("2000::/3")  # what is handed out of IPv6 (RFC 4291, 2.4; IANA's registry of address space)
_HINT = "name the networks that the reason speaks of"


def warnings(survey: Survey) -> Iterator[Problem]:
    """Those on *survey*, in no order."""
    for rule in survey.policy.rules:
        if not rule.enabled or rule.shadow:
            continue
        if rule.action is not Action.BLOCK:
            yield from _freed(survey, rule)
        else:
            for group in rule.not_groups:
                if whole := _covered(group.clients):
                    message = f"the rule {rule.id!r} spares more than a few: the group {group.id!r} covers {whole}"
                    yield survey.of_rule(rule, "wide-exemption", message, _HINT, "not_groups")


def _freed(survey: Survey, rule: Rule) -> Iterator[Problem]:
    if rule.users or (rule.clients and not _covered(rule.clients)):
        return  # narrowed by these, whatever the rest is
    if rule.groups and not _covered([network for group in rule.groups for network in group.clients]):
        return
    for_its = f", though it is for {rule.reason!r}" if rule.reason else ""
    if whole := _covered(rule.clients):
        message = f"the rule {rule.id!r} is no narrow exemption: its clients cover {whole}{for_its}"
        yield survey.of_rule(rule, "wide-exemption", message, _HINT, "clients")
    for group in rule.groups:
        if whole := _covered(group.clients):
            message = f"the rule {rule.id!r} is no narrow exemption: the group {group.id!r} covers {whole}{for_its}"
            yield survey.of_rule(rule, "wide-exemption", message, _HINT, "groups")
    if len(rule.groups) > 1 and not any(_covered(group.clients) for group in rule.groups):
        together = [network for group in rule.groups for network in group.clients]
        if whole := _covered(together):
            message = f"the rule {rule.id!r} is no narrow exemption: its groups together cover {whole}{for_its}"
            yield survey.of_rule(rule, "wide-exemption", message, _HINT, "groups")


def _covered(networks: Sequence[Network]) -> str:
    """What *networks* together leave nothing of, in words, or half of it and more; empty where they are narrower."""
    ipv4 = list(collapse_addresses(network for network in networks if isinstance(network, IPv4Network)))
    ipv6 = list(collapse_addresses(network for network in networks if isinstance(network, IPv6Network)))
    return _share("IPv4", ipv4, _ALL_IPV4) or _share("IPv6", ipv6, _ALL_IPV6) or _share("IPv6", ipv6, _INTERNET)


def _share(family: str, networks: Sequence[Network], space: Network) -> str:
    inside = sum(
        min(network.num_addresses, space.num_addresses)
        for network in networks
        if int(network.network_address) <= int(space.broadcast_address)
        and int(network.broadcast_address) >= int(space.network_address)
    )
    if inside == space.num_addresses:
        return f"all of {family}" if space.prefixlen == 0 else f"all of {space}, the {family} internet"
    return f"half of all {family} addresses or more" if 2 * inside >= space.num_addresses else ""
