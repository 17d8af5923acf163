"""A policy of the core written as policy files, so that laws about loading can begin from any policy."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from embargo.core.catalogue import App, Endpoint, Role
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Policy, Rule
from embargo.core.schedule import DAYS, Schedule
from strategies import HOSTS


def listed_names(policy: Policy) -> list[list[str]]:
    """The names of each of the policy's lists, all of which are among `HOSTS`."""
    if policy.listed is None:
        return []
    known = sorted(set(HOSTS))
    return [
        [host for host in known if (host, number) in policy.listed.suffixes(host)]
        for number in range(len(policy.lists))
    ]


def writable(policy: Policy) -> Policy:
    """*policy* without what a file may not say and `decide` does not see: rules for no app, ids that clash.

    Only rules that hold never or for nothing go, so the verdicts are the same.
    """
    rules = []
    for number, rule in enumerate(policy.rules):
        ids = rule.apps.ids & policy.apps.keys()
        nobody = not any(rule.apps.selects(app) for app in policy.apps.values())
        never = rule.since is not None and rule.until is not None and rule.since >= rule.until
        if not nobody and not never:
            groups = [replace(group, id=f"g{number}-{place}") for place, group in enumerate(rule.groups)]
            vendors = rule.apps.vendors & {app.vendor for app in policy.apps.values() if app.vendor}
            others = [replace(group, id=f"n{number}-{place}") for place, group in enumerate(rule.not_groups)]
            rules.append(
                replace(
                    rule,
                    id=f"r{number}",
                    apps=replace(rule.apps, ids=ids, vendors=vendors),
                    groups=tuple(groups),
                    not_groups=tuple(others),
                )
            )
    lists = tuple(replace(names, role=Role.API, shared=False) for names in policy.lists)  # a list says neither
    return replace(policy, rules=tuple(rules), lists=lists)


def catalogue(policy: Policy) -> dict[str, Any]:
    """Settings, authorities, apps and groups of *policy* (writable); lists are in `lists/NUMBER.txt`."""
    settings = policy.settings
    named = {authority for app in policy.apps.values() for authority in app.named_in} | settings.bound_by
    named |= {authority for rule in policy.rules for authority in rule.apps.named_in}
    groups = [group for rule in policy.rules for group in (*rule.groups, *rule.not_groups)]
    return {
        "version": 1,
        "settings": {
            "mode": settings.mode,
            "default": settings.default,
            "bound_by": sorted(settings.bound_by),
        },
        "authorities": {
            **{identifier: {} for identifier in sorted(named)},
            **{
                authority.id: {"timeline": {when.isoformat(): state for when, state in authority.timeline.changes}}
                for authority in policy.authorities.values()
            },
        },
        "apps": {app.id: _app(app, policy) for app in policy.apps.values()},
        "groups": {
            group.id: {"clients": list(map(str, group.clients)), "users": sorted(group.users)} for group in groups
        },
    }


def text(content: dict[str, Any]) -> str:
    """*content* as YAML; JSON is YAML."""
    return json.dumps(content)


def rule_entries(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """*rules* as entries of `rules:`."""
    return [_rule(rule) for rule in rules]


def _app(app: App, policy: Policy) -> dict[str, Any]:
    lists = [f"lists/{number}.txt" for number, names in enumerate(policy.lists) if names.app == app.id]
    return {
        "name": app.name,
        **({"vendor": app.vendor} if app.vendor else {}),
        "named_in": list(app.named_in),
        "endpoints": list(map(_endpoint, app.endpoints)),
        "exclude": list(map(_endpoint, app.exclude)),
        **({"endpoints_from": lists} if lists else {}),
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {
        **_pattern(endpoint.pattern),
        "role": endpoint.role,
        "shared": endpoint.shared,
        "evidence": list(endpoint.evidence),
    }


def _pattern(pattern: Pattern) -> dict[str, Any]:
    entry: dict[str, Any] = {pattern.kind.key: pattern.text}
    if pattern.kind is Kind.CIDR:
        entry |= {"port": pattern.port} if pattern.port is not None else {}
        entry |= {"protocol": pattern.protocol} if pattern.protocol is not None else {}
    return entry


def _rule(rule: Rule) -> dict[str, Any]:
    selectors: list[Any] = ["all"] if rule.apps.all else sorted(rule.apps.ids)
    selectors += [{"named_in": list(rule.apps.named_in)}] if rule.apps.named_in else []
    selectors += [{"vendor": sorted(rule.apps.vendors)}] if rule.apps.vendors else []
    criteria: dict[str, Any] = {
        "hosts": list(map(_pattern, rule.hosts)),
        "roles": sorted(rule.roles),
        "surfaces": sorted(rule.surfaces),
        "groups": [group.id for group in rule.groups],
        "not_groups": [group.id for group in rule.not_groups],
        "users": sorted(rule.users),
        "clients": list(map(str, rule.clients)),
        "schedule": _schedule(rule.schedule) if rule.schedule is not None else None,
        "authority": sorted(rule.authority),
        "from": rule.since.isoformat() if rule.since is not None else None,
        "until": rule.until.isoformat() if rule.until is not None else None,
        "respond": list(rule.respond),
        "message": rule.message.get("", dict(rule.message)),
    }
    return {
        "id": rule.id,
        "apps": selectors,
        "action": rule.action,
        **{key: value for key, value in criteria.items() if value},
        **({"shared": rule.shared} if rule.shared is not None else {}),
        "shadow": rule.shadow,
        "enabled": rule.enabled,
        "final": rule.final,
        "record": rule.record,
    }


def _schedule(schedule: Schedule) -> dict[str, Any]:
    return {
        "days": [DAYS[day] for day in sorted(schedule.days)],
        "hours": [
            "-".join(f"{minutes // 60:02}:{minutes % 60:02}" for minutes in interval) for interval in schedule.hours
        ],
        "timezone": str(schedule.timezone),
    }
