"""The ClientHellos of DTLS (RFC 6347, RFC 9147): their records are as open as those of TLS."""

from collections.abc import Iterator

from embargo.core.fragments import Fragments
from embargo.core.server_names import server_names

_HANDSHAKE = 22
_TYPES = range(20, 26)  # of records: change_cipher_spec, alert, handshake, data, heartbeat, tls12_cid
_HEADER = 13  # octets of a record's header: type, version, epoch, sequence number, length
_MESSAGE_HEADER = 12  # type, length, sequence number, fragment offset, fragment length
_CLIENT_HELLO = 1
_SESSION_ID = 34  # octets before it, as in TLS; behind it DTLS has a cookie
_MOST_MESSAGES = 8  # ClientHellos that are put together at a time

ACCESS_DENIED = bytes.fromhex("15fefd000000000000000000020231")  # fatal alert 49, in epoch 0


def is_open(datagram: bytes) -> bool:
    """Whether *datagram* begins with a record that is not enciphered (epoch 0); a handshake may be in it, or follow."""
    return (
        len(datagram) > _HEADER
        and datagram[0] in _TYPES
        and datagram[1] == 0xFE
        and datagram[2] >= 0xFC
        and datagram[3:5] == b"\0\0"
    )


class Hellos:
    """Puts a client's ClientHellos together."""

    def __init__(self) -> None:
        self._messages: dict[int, tuple[int, Fragments]] = {}  # by sequence number: length, and what is there
        self._names: list[str] = []  # of whole ones that came beside one that is not
        self._newest: tuple[int, bytes] | None = None  # the last whole one: sequence number and content

    def feed(self, datagram: bytes) -> tuple[str, ...] | None:
        """The server names of the ClientHellos that *datagram* makes whole; None while any is not.

        Whatever else comes meanwhile waits with its pieces, so that nothing lets these go. A datagram without any
        gives no names. Raises ValueError for what cannot be read.
        """
        for message in _messages(datagram):
            if message[0] == _CLIENT_HELLO and (whole := self._whole(message)) is not None:
                self._names += server_names(_without_cookie(whole))
        if self._messages:
            return None
        names, self._names = tuple(self._names), []
        return names

    def _whole(self, piece: bytes) -> bytes | None:
        """The ClientHello that *piece* ends; None where more of it is to come."""
        length, sequence = int.from_bytes(piece[1:4]), int.from_bytes(piece[4:6])
        offset, size = int.from_bytes(piece[6:9]), int.from_bytes(piece[9:12])
        content = piece[_MESSAGE_HEADER : _MESSAGE_HEADER + size]
        if sequence not in self._messages and self._newest is not None and self._newest[0] == sequence:
            # A client that has lost some sends all pieces again: those behind the last that was missing begin nothing.
            known = self._newest[1]
            if len(known) == length and known[offset : offset + size] == content:
                return known
        expected, fragments = self._messages.setdefault(sequence, (length, Fragments()))
        if expected != length or offset + size > length or not length:
            raise ValueError("a ClientHello whose pieces have different lengths")
        fragments.add(offset, content)
        whole = fragments.whole()
        if len(whole) == length:
            del self._messages[sequence]
            self._newest = sequence, whole
            return whole
        if len(self._messages) > _MOST_MESSAGES:
            raise ValueError("too many ClientHellos that do not end")
        return None


def _messages(datagram: bytes) -> Iterator[bytes]:
    """The handshake messages, or pieces of them, in the records that are not enciphered."""
    position = 0
    while position + _HEADER <= len(datagram):
        end = position + _HEADER + int.from_bytes(datagram[position + 11 : position + _HEADER])
        if end > len(datagram):
            raise ValueError("a DTLS record that does not end")
        if datagram[position] == _HANDSHAKE and is_open(datagram[position:end]):
            yield from _split(datagram[position + _HEADER : end])
        position = end


def _split(content: bytes) -> Iterator[bytes]:
    while content:
        if len(content) < _MESSAGE_HEADER:
            raise ValueError("a handshake message that does not end")
        end = _MESSAGE_HEADER + int.from_bytes(content[9:12])
        if end > len(content):
            raise ValueError("a handshake message that does not end")
        yield content[:end]
        content = content[end:]


def _without_cookie(hello: bytes) -> bytes:
    """*hello* as TLS would write it."""
    cookie = _SESSION_ID + 1 + (hello[_SESSION_ID] if len(hello) > _SESSION_ID else 0)
    if cookie >= len(hello):
        raise ValueError("a ClientHello that does not end")
    return hello[:cookie] + hello[cookie + 1 + hello[cookie] :]
