"""Who stands behind a client's pseudonym, for whoever may know: asked with a reason, on record before it is told."""

from ipaddress import ip_network

from flask import Blueprint, render_template, request
from werkzeug.exceptions import NotFound, ServiceUnavailable

from embargo.console.access.rights import Right, requires
from embargo.console.context import account, may, now, settings
from embargo.core.address import Address, Network
from embargo.journal.pseudonym import FORM, UnusableKeys
from embargo.journal.record import Record
from embargo.review.unmasking import CannotResolve, unmask

blueprint = Blueprint("unmasking", __name__, url_prefix="/pseudonyms")

LONGEST_REASON = 1_000  # characters
_MOST_TRIED = 2**18  # addresses, a second of a thread; `embargo privacy resolve` tries more


@blueprint.get("/<pseudonym>")
@requires(Right.UNMASK)
def ask(pseudonym: str) -> str:
    """The form."""
    return _page(pseudonym)


@blueprint.post("/<pseudonym>")
@requires(Right.UNMASK)
def look(pseudonym: str) -> str | tuple[str, int]:
    """Try the addresses of the networks that are named."""
    who = account()
    assert who is not None, "the guard lets nobody else in"
    reason = " ".join(request.form.get("reason", "").split())
    try:
        if not reason or len(reason) > LONGEST_REASON:
            raise CannotResolve(f"say why: a reason of 1 to {LONGEST_REASON} characters")
        found = unmask(
            pseudonym,
            _networks(request.form.get("networks", "")),
            state=settings().state,
            log=settings().log,
            author=who.name,
            reason=reason,
            now=now,
        )
    except (CannotResolve, UnusableKeys) as refused:
        return _page(pseudonym, problem=str(refused)), 422
    except OSError as failure:
        raise ServiceUnavailable("this cannot be recorded now, so it is not done") from failure
    return _page(pseudonym, found=found, looked=True)


def pseudonym_of(record: Record) -> str | None:
    """The pseudonym in *record* that whoever is asking may look behind; None where there is none."""
    client = record.client
    shown = record.masked and client is not None and FORM.fullmatch(client) is not None
    return client if shown and may(Right.UNMASK) else None


def _networks(text: str) -> list[Network]:
    try:
        networks = [ip_network(part, strict=False) for part in text.replace(",", " ").split()]
    except ValueError as wrong:
        raise CannotResolve(str(wrong)) from wrong
    if not networks:
        raise CannotResolve("name an address or a network to try")
    if (count := sum(network.num_addresses for network in networks)) > _MOST_TRIED:
        raise CannotResolve(f"{count} addresses are too many to try here: at most {_MOST_TRIED}")
    return networks


def _page(pseudonym: str, *, found: Address | None = None, looked: bool = False, problem: str | None = None) -> str:
    if FORM.fullmatch(pseudonym) is None:
        raise NotFound("that is no pseudonym of a client")
    return render_template(
        "unmasking.html",
        pseudonym=pseudonym,
        found=found,
        looked=looked,
        problem=problem,
        networks=request.form.get("networks", ""),
        reason=request.form.get("reason", ""),
        longest=LONGEST_REASON,
        most=_MOST_TRIED,
    )
