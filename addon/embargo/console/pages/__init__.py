"""The families of pages, a module each with a Flask blueprint called `blueprint`."""

from flask import Blueprint

from embargo.console.pages import display, export, log, overview, record, tail

PAGES: tuple[Blueprint, ...] = (
    display.blueprint,
    overview.blueprint,
    log.blueprint,
    tail.blueprint,
    export.blueprint,
    record.blueprint,
)
