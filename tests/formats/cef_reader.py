"""A strict reader of CEF by the standard's rules alone: it shares nothing with the writer."""

import re

_KEY = re.compile(r"(?:^|(?<= ))([A-Za-z0-9_.]+)=")


def read(line: str) -> tuple[list[str], dict[str, str]]:
    """The seven header fields and the extension of one line. Raises ValueError where a rule is broken."""
    if any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in line):
        raise ValueError("a control character")
    fields, place = [""], 0
    while len(fields) < 8:
        if place >= len(line):
            raise ValueError("the header ends early")
        letter = line[place]
        if letter == "\\":
            place += 1
            if place >= len(line) or line[place] not in "\\|":
                raise ValueError("a stray backslash in the header")
            fields[-1] += line[place]
        elif letter == "|":
            fields.append("")
            if len(fields) == 8:
                break
        else:
            fields[-1] += letter
        place += 1
    header, rest = fields[:7], line[place + 1 :]
    if re.fullmatch(r"CEF:[01]", header[0]) is None:
        raise ValueError("no CEF")
    if not header[6].isdigit() or not 0 <= int(header[6]) <= 10:
        raise ValueError("no severity")
    return header, _extension(rest)


def _extension(text: str) -> dict[str, str]:
    # an equals sign in a value is escaped, so each bare one stands behind a key
    bare = [found.start() for found in re.finditer(r"=", text) if _backslashes(text, found.start()) % 2 == 0]
    keys = [found for found in _KEY.finditer(text) if found.end() - 1 in bare]
    if len(keys) != len(bare):
        raise ValueError("an equals sign that is neither escaped nor behind a key")
    found: dict[str, str] = {}
    for index, key in enumerate(keys):
        end = keys[index + 1].start() - 1 if index + 1 < len(keys) else len(text)
        if key[1] in found:
            raise ValueError(f"{key[1]} stands twice")
        found[key[1]] = _unescaped(text[key.end() : end])
    return found


def _backslashes(text: str, end: int) -> int:
    return end - len(text[:end].rstrip("\\"))


def _unescaped(value: str) -> str:
    shown, place = "", 0
    while place < len(value):
        if value[place] == "\\":
            place += 1
            if place >= len(value) or value[place] not in "\\=nr":
                raise ValueError("a stray backslash in a value")
            shown += {"n": "\n", "r": "\r"}.get(value[place], value[place])
        else:
            shown += value[place]
        place += 1
    return shown
