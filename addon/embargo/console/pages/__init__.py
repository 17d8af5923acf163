"""The families of pages, a module each with a Flask blueprint called `blueprint`."""

from flask import Blueprint

from embargo.console.pages import (
    answering,
    apps,
    devices,
    display,
    exceptions,
    export,
    health,
    log,
    overview,
    policy,
    record,
    reviews,
    tail,
    trying,
    unmasking,
)

PAGES: tuple[Blueprint, ...] = (
    display.blueprint,
    overview.blueprint,
    log.blueprint,
    tail.blueprint,
    export.blueprint,
    record.blueprint,
    apps.blueprint,
    devices.blueprint,
    policy.blueprint,
    trying.blueprint,
    health.blueprint,
    exceptions.blueprint,
    answering.blueprint,
    reviews.blueprint,
    unmasking.blueprint,
)
