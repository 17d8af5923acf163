"""What systemd is told of a service of `Type=notify`: datagrams to the socket in $NOTIFY_SOCKET (sd_notify(3))."""

import contextlib
import os
import socket
import time


class Notifier:
    """Tells systemd; does nothing where nobody asked to be told."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # of the abstract namespace
            self._address = "\0" + self._address[1:]
        self._said = ""

    @property
    def watchdog(self) -> float | None:
        """Seconds within which systemd wants a sign of life; None: it wants none of this process."""
        period, asked = os.environ.get("WATCHDOG_USEC", ""), os.environ.get("WATCHDOG_PID", "")
        if not period.isascii() or not period.isdigit() or (asked and asked != str(os.getpid())):
            return None
        return int(period) / 1e6 or None

    def ready(self, status: str) -> None:
        """The service does its work."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """The service reads its configuration; `ready` ends that."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1\nSTATUS=draining")

    def alive(self) -> None:
        """A sign of life for the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """A line for `systemctl status`, sent where it is news."""
        if text != self._said:
            self._said = text
            self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A manager that is gone or busy costs it the message, never the proxy its traffic.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto(message.encode(), self._address)
