"""What of a flow may be written down, and in what form.

Never: user information of a URL, fragments. By default not: the values of a query. What is kept is well-formed
Unicode of bounded length; the JSON encoder escapes control characters.
"""

import re

KEYWORD = 1024  # characters; Elasticsearch's ECS templates index no more of a keyword (ignore_above)
WILDCARD = 4096  # characters; a Lucene term holds 32,766 bytes, and a character takes up to four, escaped up to six
CUT = "…"  # the last character of what was cut
REDACTED = "<redacted>"
_SURROGATE = re.compile("[\ud800-\udfff]")
_USER_INFORMATION = re.compile(r"(:/+)[^/@]*@")
_BARE_NAME = re.compile(r"[A-Za-z][A-Za-z_.-]{0,20}")  # shorter than any secret: 128 bits take 22 characters of base64


def keyword(text: str, longest: int = KEYWORD) -> str:
    """*text* as well-formed Unicode of at most *longest* characters; what was cut ends in `CUT`.

    Header bytes that are no UTF-8 arrive as lone surrogates, which JSON parsers refuse: they become U+FFFD.
    """
    if len(text) > longest:
        text = text[: longest - 1] + CUT
    if text.isascii():
        return text
    return _SURROGATE.sub("\ufffd", text)


def path_and_query(target: str, *, values: bool = False) -> tuple[str, str]:
    """The path and the query (without ``?``) of a request target as they may be stored.

    Absolute form is reduced to origin form. A query keeps its names; its values only where *values* says so.
    """
    if not target.startswith("/") and "://" in target[:16]:
        authority, slash, rest = target.partition("://")[2].partition("/")
        # in `http://name?key=value` the first slash, if any, belongs to the query
        _, mark, query = authority.partition("?")
        target = f"/?{query}{slash}{rest}" if mark else f"/{rest}"
    path, _, query = target.partition("#")[0].partition("?")
    if "@" in path and ":/" in path:
        path = _USER_INFORMATION.sub(r"\1", path)
    if query and not values:
        query = "&".join(map(_redacted, query.split("&")))
    elif "@" in query:
        query = _USER_INFORMATION.sub(r"\1", query)
    return keyword(path, WILDCARD), query


def without_user_information(host: str) -> str:
    """*host* without the ``user:password@`` that a sloppy client puts before it."""
    return host.rpartition("@")[2] if "@" in host else host


def _redacted(piece: str) -> str:
    """One piece of a query; a piece without ``=`` may be a flag or a bare token, and only short words are flags."""
    name, equals, value = piece.partition("=")
    if equals:
        return f"{name}={REDACTED}" if value else piece
    return piece if not piece or _BARE_NAME.fullmatch(piece) else REDACTED
