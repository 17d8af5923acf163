"""ClientHellos by their structure, whole and broken (RFC 8446, 4.1.2; RFC 6066, 3; RFC 8701)."""

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

from fuzz.exchange import BANNED, COVER

GREASE = tuple(0x0A0A + 0x1010 * number for number in range(16))
_SERVER_NAME = 0
_KNOWN = {  # type: content, as clients send it
    5: b"\x01\0\0\0\0",  # status_request
    10: b"\0\x04\0\x1d\0\x17",  # supported_groups
    11: b"\x01\0",  # ec_point_formats
    13: b"\0\x06\x04\x03\x08\x04\x04\x01",  # signature_algorithms
    16: b"\0\x0c\x02h2\x08http/1.1",  # ALPN
    18: b"",  # signed_certificate_timestamp
    23: b"",  # extended_master_secret
    35: b"",  # session_ticket
    43: b"\x04\x03\x04\x03\x03",  # supported_versions
    45: b"\x01\x01",  # psk_key_exchange_modes
    51: b"\0\x26\0\x24\0\x1d\0\x20" + bytes(range(32)),  # key_share
    0xFE0D: b"\0\0\x01\0\x01\x07\0\x04abcd\0\x04efgh",  # encrypted_client_hello, with nothing true inside
    0xFF01: b"\0",  # renegotiation_info
}


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2) + len(content).to_bytes(2) + content


def name_list(*names: bytes, kind: int = 0, wrong: int = 0) -> bytes:
    entries = b"".join(bytes([kind]) + len(name).to_bytes(2) + name for name in names)
    return (len(entries) + wrong).to_bytes(2) + entries


@dataclass(frozen=True)
class Hello:
    """A ClientHello with a gap for its name, in the records and segments in which it goes out."""

    write: Callable[[str], bytes]
    cuts: tuple[float, ...]
    legal: bool
    shown: str

    def segments(self, name: str) -> list[bytes]:
        text = self.write(name)
        ends = sorted({int(cut * len(text)) for cut in self.cuts} - {0, len(text)})
        return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]

    def __repr__(self) -> str:
        return f"Hello(legal={self.legal}, {self.shown}, cuts={self.cuts})"


ODDITIES = (
    "two names",
    "two names, the cover first",
    "two extensions",
    "another kind of name",
    "a wrong list length",
    "a trailing dot",
    "a hyphen",
    "no IDNA",
    "truncated",
    "extensions too long",
    "an odd record version",
    "an empty record",
    "an empty record between",
    "an alert before",
    "a change of cipher before",
    "junk before",
    "a PROXY line before",
    "two hellos",
    "no extensions",
)


@st.composite
def hellos(draw: st.DrawFn, *, legal: bool | None = None) -> Hello:
    """*legal*: only such, or only others."""
    odd = set() if legal else draw(st.sets(st.sampled_from(ODDITIES), min_size=int(legal is False), max_size=2))
    session = draw(st.sampled_from([b"", bytes(32), b"s" * 8]))
    ciphers = draw(
        st.lists(st.sampled_from([0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, *GREASE]), min_size=1, unique=True)
    )
    kinds = draw(st.lists(st.sampled_from([*_KNOWN, *GREASE, 0x1234, 0x4469]), unique=True))
    padding = draw(st.sampled_from([0, 1, 200, 1500]))
    capitals = draw(st.booleans())
    below = draw(st.sampled_from(["", "www.", "a.b.c.", "_x."]))
    at = draw(st.integers(0, len(kinds)))
    sizes = draw(st.lists(st.integers(1, 400), max_size=4))
    version = draw(st.sampled_from([b"\x03\x01", b"\x03\x03"]))
    odd_version = draw(st.sampled_from([b"\x03\x00", b"\x03\x02", b"\x03\x04", b"\x03\xff", b"\x02\x00"]))
    keep = draw(st.floats(0.05, 0.99))
    junk = draw(st.binary(min_size=1, max_size=40))

    def server_name(name: str) -> list[bytes]:
        text = (below + name).encode()
        text = text.upper() if capitals else text
        if "a trailing dot" in odd:
            text += b"."
        if "a hyphen" in odd:
            text = b"a-." + text
        if "no IDNA" in odd:
            text = b"xn--a." + text
        names = [text]
        if "two names" in odd:
            names = [text, COVER.encode()]
        if "two names, the cover first" in odd:
            names = [COVER.encode(), text]
        kind = 7 if "another kind of name" in odd else 0
        wrong = 3 if "a wrong list length" in odd else 0
        found = [extension(_SERVER_NAME, name_list(*names, kind=kind, wrong=wrong))]
        if "two extensions" in odd:
            found.insert(0, extension(_SERVER_NAME, name_list(COVER.encode())))
        return found

    def message(name: str) -> bytes:
        parts = [extension(kind, _KNOWN.get(kind, b"\0")) for kind in kinds]
        parts[at:at] = server_name(name)
        if padding:
            parts.append(extension(21, bytes(padding)))
        extensions = b"".join(parts)
        longer = 9 if "extensions too long" in odd else 0
        body = b"\x03\x03" + bytes(range(32)) + bytes([len(session)]) + session
        body += (2 * len(ciphers)).to_bytes(2) + b"".join(cipher.to_bytes(2) for cipher in ciphers) + b"\x01\0"
        if "no extensions" not in odd:
            body += (len(extensions) + longer).to_bytes(2) + extensions
        return b"\x01" + len(body).to_bytes(3) + body

    def records(handshake: bytes) -> bytes:
        written = odd_version if "an odd record version" in odd else version
        out, rest = b"", handshake
        for size in [*sizes, len(handshake)]:
            piece, rest = rest[:size], rest[size:]
            if piece:
                out += b"\x16" + written + len(piece).to_bytes(2) + piece
                if "an empty record between" in odd:
                    out += b"\x16" + written + b"\0\0"
        return out

    def write(name: str) -> bytes:
        text = records(message(name))
        if "two hellos" in odd:
            text = records(message(COVER)) + text
        if "an empty record" in odd:
            text = b"\x16\x03\x01\0\0" + text
        if "an alert before" in odd:
            text = b"\x15\x03\x01\0\x02\x01\0" + text
        if "a change of cipher before" in odd:
            text = b"\x14\x03\x01\0\x01\x01" + text
        if "junk before" in odd:
            text = junk + text
        if "a PROXY line before" in odd:
            text = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + text
        if "truncated" in odd:
            text = text[: int(keep * len(text))]
        return text

    cuts = draw(st.lists(st.floats(0, 1), max_size=5))
    about = f"{sorted(odd)}, records of {sizes}, {write(BANNED).hex()}"
    return Hello(write, tuple(cuts), not odd, about)
