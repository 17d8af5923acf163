"""Layers to a `Policy`: what later layers add, replace and extend, and the rules' effective order."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from typing import Any

from embargo.core.catalogue import App, Authority, DomainList, Endpoint, Role, Stores
from embargo.core.matcher import ListedDomains
from embargo.core.rules import (
    Action,
    AppSelector,
    Closing,
    Group,
    LogSettings,
    Policy,
    Recording,
    Rule,
    Settings,
)
from embargo.core.schedule import DAYS, Schedule
from embargo.core.stores import listing_urls
from embargo.core.timeline import Timeline
from embargo.policy.anchors import anchor, distinct
from embargo.policy.domains import url_pattern
from embargo.policy.fields import Position, QueryValues
from embargo.policy.index import LazyDomains, SomeDomains
from embargo.policy.layers import Layer
from embargo.policy.patterns import endpoint_of, pattern_of
from embargo.policy.schema import AppForm, AuthorityForm, GroupForm, PolicyForm, RuleForm, ScheduleForm, SettingsForm
from embargo.policy.sinks import merged

_UNBUILT = "a layer with problems is never built"
MOST_INLINE = 1000  # short-form domains of one app in one file; more are kept as a list is


@dataclass(frozen=True, slots=True)
class NamedList:
    """A domain list with its names."""

    domains: DomainList
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """An app as one layer has it."""

    form: AppForm
    endpoints: tuple[Endpoint, ...]
    exclude: tuple[Endpoint, ...]
    stores: Stores
    lists: tuple[NamedList, ...]
    layer: int  # from 0


@dataclass(slots=True)
class Assembly:
    """The layers of a policy, ready to be put together, all of them or the lowest few."""

    layers: Sequence[Layer]  # each has a form
    digest: str = ""
    _pieces: list[dict[str, _Piece]] = field(init=False)
    _whole: tuple[tuple[NamedList, ...], LazyDomains] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._pieces = [_pieces(layer, number) for number, layer in enumerate(self.layers)]

    def policy(self, height: int | None = None) -> Policy:
        """The policy of the lowest *height* layers, by default of all."""
        height = len(self.layers) if height is None else height
        layers = self.layers[:height]
        settings = _settings(layers)
        apps, lists = self._catalogue(height)
        groups = {name: _group(name, form) for name, form in _later(layers, lambda form: form.groups)}
        own = _own_rules(layers, groups, settings.timezone)
        return Policy(
            settings=settings,
            authorities={name: _authority(name, form) for name, form in _later(layers, lambda form: form.authorities)},
            apps=apps,
            groups=groups,
            rules=_stacked(layers, own),
            closing=_closing(layers, own),
            lists=tuple(named.domains for named in lists),
            listed=self._listed(lists),
            digest=self.digest,
            files=tuple(layer.name for layer in layers),
            released=max((form.released for layer in layers if (form := layer.form) and form.released), default=None),
        )

    def own_rules(self, height: int) -> tuple[tuple[Rule, ...], ...]:
        """The rules of each of the lowest *height* layers, as they stand there; of groups those of these layers."""
        layers = self.layers[:height]
        groups = {name: _group(name, form) for name, form in _later(layers, lambda form: form.groups)}
        return _own_rules(layers, groups, _settings(layers).timezone)

    def stacked(self, own: Sequence[Sequence[Rule]]) -> tuple[Rule, ...]:
        """The effective order of *own*, the rules of each of the lowest layers."""
        return _stacked(self.layers[: len(own)], own)

    def lists(self) -> tuple[NamedList, ...]:
        """The domain lists of the whole policy, in the order of `Policy.lists`."""
        return self._catalogue(len(self.layers))[1]

    def _listed(self, lists: tuple[NamedList, ...]) -> ListedDomains | None:
        if not lists:
            return None
        if self._whole is None:
            every = self.lists()
            self._whole = every, LazyDomains([named.names for named in every])
        every, domains = self._whole
        if lists == every:
            return domains
        places = {id(named): number for number, named in enumerate(every)}
        if all(id(named) in places for named in lists):
            return SomeDomains(domains, [places[id(named)] for named in lists])
        return LazyDomains([named.names for named in lists])  # a later layer replaced one of these apps

    def _catalogue(self, height: int) -> tuple[dict[str, App], tuple[NamedList, ...]]:
        stacks: dict[str, list[_Piece]] = {}
        for pieces in self._pieces[:height]:
            for identifier, piece in pieces.items():
                if piece.form.extend:
                    stacks[identifier].append(piece)
                else:
                    stacks[identifier] = [piece]
        apps = {identifier: _app(identifier, stack) for identifier, stack in stacks.items()}
        return apps, tuple(named for stack in stacks.values() for piece in stack for named in piece.lists)


def _pieces(layer: Layer, number: int) -> dict[str, _Piece]:
    assert layer.form is not None, _UNBUILT
    return {identifier: _piece(layer, number, identifier, form) for identifier, form in layer.form.apps.items()}


def _piece(layer: Layer, number: int, identifier: str, form: AppForm) -> _Piece:
    forms = form.endpoints or []
    lists: list[NamedList] = []
    short = tuple(dict.fromkeys(name for name in forms if isinstance(name, str)))
    if len(short) > MOST_INLINE:
        lists.append(NamedList(DomainList(identifier, layer.name, len(short), layer=number), short))
        forms = [entry for entry in forms if not isinstance(entry, str)]
    for name in form.endpoints_from or []:
        names = layer.lists[name].names
        lists.append(NamedList(DomainList(identifier, name, len(names), layer=number), names))
    stores = form.stores
    return _Piece(
        form=form,
        endpoints=_endpoints(forms, number),
        exclude=_endpoints(form.exclude, number),
        layer=number,
        stores=Stores(tuple(stores.apple), tuple(stores.google_play), tuple(stores.microsoft)) if stores else Stores(),
        lists=tuple(lists),
    )


def _endpoints(forms: Iterable[Any], layer: int) -> tuple[Endpoint, ...]:
    found = map(endpoint_of, forms)
    return tuple(replace(endpoint, layer=layer) for endpoint in found) if layer else tuple(found)


def _app(identifier: str, stack: Sequence[_Piece]) -> App:
    first = stack[0].form
    stores = Stores(
        apple=_once(name for piece in stack for name in piece.stores.apple),
        google_play=_once(name for piece in stack for name in piece.stores.google_play),
        microsoft=_once(name for piece in stack for name in piece.stores.microsoft),
    )
    endpoints = [endpoint for piece in stack for endpoint in piece.endpoints]
    brought_by = {url: piece.layer for piece in reversed(stack) for url in listing_urls(piece.stores)}
    endpoints += [
        Endpoint(url_pattern(url), Role.STORE, layer=brought_by[url]) for url in dict.fromkeys(listing_urls(stores))
    ]
    return App(
        id=identifier,
        name=first.name or identifier,
        vendor=first.vendor,
        named_in=_once(name for piece in stack for name in piece.form.named_in),
        endpoints=tuple(endpoints),
        exclude=tuple(endpoint for piece in stack for endpoint in piece.exclude),
        stores=stores,
    )


def _once(names: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _later[Form](
    layers: Sequence[Layer], section: Callable[[PolicyForm], Mapping[str, Form]]
) -> Iterable[tuple[str, Form]]:
    """The entries of a section by id, a later layer's in place of an earlier one's."""
    merged: dict[str, Form] = {}
    for layer in layers:
        assert layer.form is not None, _UNBUILT
        merged.update(section(layer.form))
    return merged.items()


def _authority(identifier: str, form: AuthorityForm) -> Authority:
    return Authority(
        id=identifier,
        title=form.title or identifier,
        jurisdiction=form.jurisdiction,
        url=form.url,
        reviewed=form.reviewed,
        timeline=Timeline(tuple(sorted(form.timeline.items()))),
    )


def _group(identifier: str, form: GroupForm) -> Group:
    return Group(id=identifier, clients=tuple(form.clients or ()), users=frozenset(form.users or ()))


def _settings(layers: Sequence[Layer]) -> Settings:
    """The settings of all layers, merged key by key, nested ones too."""
    settings = Settings()
    for layer in layers:
        form = layer.form.settings if layer.form is not None else None
        if form is not None:
            settings = replace(settings, **_changes(settings, form))
    return settings


def _changes(settings: Settings, form: SettingsForm) -> dict[str, Any]:
    """What *form* says, by field of Settings."""
    said: dict[str, Any] = {
        key: getattr(form, key)
        for key in (
            "mode",
            "default",
            "decrypt",
            "unknown_protocol",
            "new_endpoints",
            "organization",
            "contact",
            "timezone",
            "census",
        )
        if getattr(form, key) is not None
    }
    if form.never_decrypt is not None:
        said["never_decrypt"] = tuple(map(pattern_of, form.never_decrypt))
    if form.bound_by is not None:
        said["bound_by"] = frozenset(form.bound_by)
    if form.privacy is not None and form.privacy.query is not None:
        said["query_values"] = form.privacy.query is QueryValues.KEEP
    if form.privacy is not None and form.privacy.client is not None:
        said["client"] = form.privacy.client
    if form.log is not None:
        plain = form.log.model_dump(exclude_none=True, exclude={"sinks", "anchors", "checkpoint"})
        said["log"] = _log(settings.log, plain)
        if form.log.checkpoint is not None:
            checkpoint = replace(said["log"].checkpoint, **form.log.checkpoint.model_dump(exclude_none=True))
            said["log"] = replace(said["log"], checkpoint=checkpoint)
        if form.log.sinks:
            sinks = {name: sink.said for name, sink in form.log.sinks.items()}
            said["log"] = replace(said["log"], sinks=merged(said["log"].sinks, sinks))
        if form.log.anchors is not None:
            said["log"] = replace(said["log"], anchors=distinct(anchor(each.said) for each in form.log.anchors))
    return said


def _log(settings: LogSettings, said: Mapping[str, float | int]) -> LogSettings:
    values = {key: getattr(settings, key) for key in LogSettings.__dataclass_fields__} | dict(said)
    return LogSettings(**values)


def _own_rules(layers: Sequence[Layer], groups: Mapping[str, Group], timezone: tzinfo) -> tuple[tuple[Rule, ...], ...]:
    """The rules of each layer, as they stand there."""
    own = []
    for layer in layers:
        assert layer.form is not None, _UNBUILT
        own.append(
            tuple(
                _rule(form, groups, timezone, layer, layer.document.position(("rules", index))[0])
                for index, form in enumerate(layer.form.rules)
            )
        )
    return tuple(own)


def _stacked(layers: Sequence[Layer], own: Sequence[Sequence[Rule]]) -> tuple[Rule, ...]:
    """The rules in effective order: final ones first, the earliest layer's first; then layer upon layer."""
    effective: list[Rule] = []
    final: list[Rule] = []
    for layer, rules in zip(layers, own, strict=True):
        assert layer.form is not None, _UNBUILT
        replaced = {rule.id for rule in rules}
        final += [rule for rule in rules if rule.final]
        kept = [rule for rule in effective if rule.id not in replaced]
        ordinary = [rule for rule in rules if not rule.final]
        effective = [*kept, *ordinary] if layer.form.rules_position is Position.AFTER else [*ordinary, *kept]
    return (*final, *effective)


def _closing(layers: Sequence[Layer], own: Sequence[Sequence[Rule]]) -> Closing | None:
    """The layers up to each with a `final` rule that blocks, where others stand above that could open something."""
    found: Closing | None = None
    for height in range(1, len(layers)):
        closes = any(
            rule.final and rule.enabled and not rule.shadow and rule.action is Action.BLOCK for rule in own[height - 1]
        )
        if closes and any(
            layer.form is not None and (layer.form.apps or layer.form.rules) for layer in layers[height:]
        ):
            found = Closing(height=height, rules=_stacked(layers[:height], own[:height]), below=found)
    return found


def _rule(form: RuleForm, groups: Mapping[str, Group], timezone: tzinfo, layer: Layer, line: int) -> Rule:
    selectors = [selector for selector in form.apps if not isinstance(selector, str)]
    ids = frozenset(selector for selector in form.apps if isinstance(selector, str))
    message = form.message or {}
    return Rule(
        id=form.id,
        apps=AppSelector(
            all="all" in ids,
            ids=ids - {"all"},
            named_in=_once(name for selector in selectors for name in selector.named_in or ()),
            vendors=frozenset(name for selector in selectors for name in selector.vendor or ()),
        ),
        action=form.action,
        hosts=tuple(map(pattern_of, form.hosts or ())),
        roles=frozenset(form.roles or ()),
        shared=form.shared,
        surfaces=frozenset(form.surfaces or ()),
        groups=_members(form.groups, groups),
        not_groups=_members(form.not_groups, groups),
        users=frozenset(form.users or ()),
        clients=tuple(form.clients or ()),
        schedule=_schedule(form.schedule, timezone) if form.schedule is not None else None,
        authority=frozenset(form.authority or ()),
        since=form.since,
        until=form.until,
        respond=tuple(form.respond or ()),
        shadow=form.shadow,
        final=form.final,
        enabled=form.enabled,
        message={"": message} if isinstance(message, str) else dict(message),
        reason=form.reason,
        ticket=form.ticket,
        approved_by=form.approved_by,
        author=form.author,
        basis=form.basis,
        exception=layer.exceptions,
        record=form.record or Recording.FULL,
        layer=layer.name,
        line=line,
    )


def _members(names: Sequence[str] | None, groups: Mapping[str, Group]) -> tuple[Group, ...]:
    # a group of a later layer has no members yet when a lower layer is judged alone
    return tuple(groups.get(name) or Group(id=name) for name in names or ())


def _schedule(form: ScheduleForm, timezone: tzinfo) -> Schedule:
    days = frozenset(DAYS.index(day) for day in form.days or DAYS)
    zone = form.timezone or timezone
    return (
        Schedule(timezone=zone, days=days, hours=tuple(form.hours))
        if form.hours
        else Schedule(timezone=zone, days=days)
    )
