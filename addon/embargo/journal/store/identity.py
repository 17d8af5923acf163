"""An event's or connection's id as two numbers, which an index holds in a third of the room. Pure."""

import hashlib
import struct

_WRAP = 1 << 64
_SIGN = 1 << 63
_VARIANT = -(1 << 62)  # above all second numbers of UUIDs, whose first two bits there are 1 and 0
_numbers = struct.Struct(">qq").unpack
_bytes = bytes.fromhex


def identity(text: str) -> tuple[int, int]:
    """*text* as two numbers of 64 bits with sign, equal for texts that differ in case alone.

    A UUID's own (RFC 9562, whose variant makes the second one negative), in whose order new ones come; a hash of any
    other text, and then the second one is not negative.
    """
    if len(text) == 36 and text[8] == text[13] == text[18] == text[23] == "-":
        try:
            numbers: tuple[int, int] = _numbers(_bytes(text.replace("-", "")))
        except (ValueError, struct.error):  # no hexadecimal digits; white space, or more hyphens among them
            pass
        else:
            if numbers[1] < _VARIANT:
                return numbers
    digest = hashlib.blake2b(text.lower().encode(errors="surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], signed=True), int.from_bytes(digest[8:]) & (_SIGN - 1)


def uuid_of(high: int, low: int) -> str | None:
    """The UUID that `identity` made these numbers of; None where it was another text."""
    if low >= 0:
        return None
    digits = f"{high % _WRAP:016x}{low % _WRAP:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
