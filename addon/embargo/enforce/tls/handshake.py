"""What follows a ClientHello on a TLS connection that is not opened: perhaps a second one.

A server that wants another key share answers with a HelloRetryRequest, and the client sends its hello again
(RFC 8446, 4.1.4). OpenSSL's server takes the name of the second (measured), so a first with an innocent name
must not be the last that is looked at.
"""

from embargo.enforce.streams.passage import Passage
from embargo.enforce.tls.first_bytes import Kind, read

_HANDSHAKE = 0x16
_SKIPPED = (0x14, 0x17)  # change_cipher_spec, and early data, which may stand between the two hellos
_RANDOM = slice(11, 43)  # of the first message in the server's first record: header 5, message 4, version 2
_ASKS_AGAIN = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")  # RFC 8446, 4.1.3


class Handshake:
    """Follows both sides from the first ClientHello until no second one can come."""

    def __init__(self) -> None:
        self.over = False
        self._held = b""  # the client's, not yet let go: the beginning of a record
        self._skip = 0  # bytes of the current record that are of no interest
        self._hellos = 0
        self._answer: bytes | None = b""  # the server's first bytes; None once they have been read

    def answered(self, data: bytes) -> None:
        """The server's next bytes: where they do not ask for a second hello, none comes."""
        if self._answer is None:
            return
        self._answer += data
        if self._answer[0] == _HANDSHAKE and len(self._answer) < _RANDOM.stop:
            return
        self.over = self.over or self._answer[0] != _HANDSHAKE or self._answer[_RANDOM] != _ASKS_AGAIN
        self._answer = None

    def feed(self, data: bytes) -> Passage:
        """What becomes of the client's next bytes, the first hello included; `snis` are those of a second one."""
        data, self._held = self._held + data, b""
        position, names = 0, None
        while not self.over:
            skipped = min(self._skip, len(data) - position)
            position, self._skip = position + skipped, self._skip - skipped
            record = data[position : position + 5]
            if len(record) < 5:
                break
            if record[0] in _SKIPPED:
                self._skip = 5 + int.from_bytes(record[3:])
                continue
            reading = read(data[position:]) if record[0] == _HANDSHAKE else None
            if reading is not None and reading.kind is Kind.WAIT:
                break
            if reading is not None and reading.kind is Kind.TLS:
                end = _end_of_hello(data, position)
                self._hellos += 1
                if self._hellos == 1 and end is not None:
                    position = end
                    continue
                names = reading.names
            self.over = True
            if reading is not None and (reading.kind is Kind.MALFORMED or (self._hellos == 1 and names is not None)):
                return Passage(data, refuse="a second ClientHello that cannot be read")
        if self.over:
            return Passage(data, snis=names)
        self._held = data[position:]
        return Passage(data[:position])


def _end_of_hello(data: bytes, position: int) -> int | None:
    """Where the records end that hold the ClientHello at *position*; None where the last holds more than it."""
    message, wanted = b"", 4
    while len(message) < wanted:
        end = position + 5 + int.from_bytes(data[position + 3 : position + 5])
        message += data[position + 5 : end]
        position = end
        if len(message) >= 4:
            wanted = 4 + int.from_bytes(message[1:4])
    return position if len(message) == wanted else None
