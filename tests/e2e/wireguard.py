"""A WireGuard client in user space, for kernels without: a namespace whose only way out is the tunnel to the proxy.

Noise_IKpsk2 as in the WireGuard paper (Donenfeld, NDSS 2017, 5.4), one peer, no cookies.
"""

import base64
import fcntl
import hashlib
import hmac
import json
import os
import select
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from mitmproxy_rs import wireguard

from e2e.namespace import Namespace
from e2e.proxy import PATIENCE, Proxy

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
_LARGEST = 65_535
_LIFETIME = 100.0  # seconds, after which a session is made anew; the protocol asks for it after 120


class WireGuardProxy(Proxy):
    """A proxy in `wireguard` mode, and the namespace before it; `namespace.run` is a client."""

    def __init__(self, directory: Path, *arguments: Any, **options: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._keys = {"server_key": wireguard.genkey(), "client_key": wireguard.genkey()}
        keys = directory / "wireguard.conf"
        keys.write_text(json.dumps(self._keys))
        self.namespace = Namespace()
        self._tunnel: Tunnel | None = None
        given = options.pop("options", ())
        super().__init__(directory, *arguments, options=["--mode", f"wireguard:{keys}", *given], **options)

    def wait_ready(self, *, policy: bool = True) -> "WireGuardProxy":
        super().wait_ready(policy=policy)
        device = self.namespace.run(lambda: _open_tun("wg0"))
        self.namespace.route("wg0")
        self._tunnel = Tunnel(device, ("127.0.0.1", self.port), self._keys["client_key"], self._keys["server_key"])
        return self

    def stop(self, *arguments: Any) -> None:
        if self._tunnel is not None:
            self._tunnel.close()
        super().stop(*arguments)
        self.namespace.close()


class Tunnel:
    """Carries packets between a TUN device and a WireGuard server, in a thread of its own."""

    def __init__(self, device: int, server: tuple[str, int], client_key: str, server_key: str) -> None:
        self._device = device
        self._static = X25519PrivateKey.from_private_bytes(base64.b64decode(client_key))
        server_private = X25519PrivateKey.from_private_bytes(base64.b64decode(server_key))
        self._server_public = server_private.public_key().public_bytes_raw()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(server)
        self._wake, self._waker = os.pipe()
        self._begin_session()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def close(self) -> None:
        os.write(self._waker, b"x")
        self._thread.join(10)
        for descriptor in (self._device, self._wake, self._waker):
            os.close(descriptor)
        self._socket.close()

    def _carry(self) -> None:
        while True:
            ready, _, _ = select.select([self._device, self._socket, self._wake], [], [])
            if self._wake in ready:
                return
            if self._device in ready:
                self._send(os.read(self._device, _LARGEST))
            if self._socket in ready:
                self._receive(self._socket.recv(_LARGEST))

    def _send(self, packet: bytes) -> None:
        if time.monotonic() - self._since > _LIFETIME:
            self._begin_session()
        padded = packet + bytes(-len(packet) % 16)
        head = struct.pack("<IIQ", 4, self._peer, self._counter)
        self._socket.send(head + self._out.encrypt(bytes(4) + struct.pack("<Q", self._counter), padded, b""))
        self._counter += 1

    def _receive(self, message: bytes) -> None:
        if len(message) < 32 or message[0] != 4:
            return
        try:
            packet = self._in.decrypt(bytes(4) + message[8:16], message[16:], b"")
        except InvalidTag:  # of the session before, sent while this one began: lost, as on any network
            return
        if packet:  # else a keep-alive
            os.write(self._device, packet[: struct.unpack(">H", packet[2:4])[0]])  # IPv4: without the padding

    def _begin_session(self) -> None:
        chain = _hash(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        state = _hash(_hash(chain + b"WireGuard v1 zx2c4 Jason@zx2c4.com") + self._server_public)
        server = X25519PublicKey.from_public_bytes(self._server_public)
        ephemeral = X25519PrivateKey.generate()
        public = ephemeral.public_key().public_bytes_raw()
        (chain,) = _derive(chain, public, 1)
        state = _hash(state + public)
        chain, key = _derive(chain, ephemeral.exchange(server), 2)
        static = ChaCha20Poly1305(key).encrypt(bytes(12), self._static.public_key().public_bytes_raw(), state)
        state = _hash(state + static)
        chain, key = _derive(chain, self._static.exchange(server), 2)
        instant = time.time()
        stamp = struct.pack(">QI", int(instant) + 2**62, int(instant % 1 * 1e9))  # TAI64N
        stamp = ChaCha20Poly1305(key).encrypt(bytes(12), stamp, state)
        state = _hash(state + stamp)
        message = struct.pack("<II", 1, 1) + public + static + stamp
        mac = hashlib.blake2s(message, key=_hash(b"mac1----" + self._server_public), digest_size=16).digest()
        answer = self._answer_to(message + mac + bytes(16))
        self._peer = struct.unpack("<I", answer[4:8])[0]
        theirs = answer[12:44]
        (chain,) = _derive(chain, theirs, 1)
        state = _hash(state + theirs)
        for own in (ephemeral, self._static):
            (chain,) = _derive(chain, own.exchange(X25519PublicKey.from_public_bytes(theirs)), 1)
        chain, mixed, key = _derive(chain, bytes(32), 3)  # no pre-shared key
        ChaCha20Poly1305(key).decrypt(bytes(12), answer[44:60], _hash(state + mixed))
        sending, receiving = _derive(chain, b"", 2)
        self._out, self._in = ChaCha20Poly1305(sending), ChaCha20Poly1305(receiving)
        self._counter, self._since = 0, time.monotonic()

    def _answer_to(self, initiation: bytes) -> bytes:
        self._socket.settimeout(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                try:
                    self._socket.send(initiation)
                    while (message := self._socket.recv(_LARGEST))[0] != 2:
                        pass
                    return message
                except ConnectionRefusedError:  # it does not listen yet
                    assert time.monotonic() < deadline, "no WireGuard server listens"
                    time.sleep(0.02)
        finally:
            self._socket.settimeout(None)


def _open_tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def _hash(data: bytes) -> bytes:
    return hashlib.blake2s(data).digest()


def _derive(key: bytes, data: bytes, count: int) -> list[bytes]:
    """HKDF with HMAC-BLAKE2s."""
    secret = hmac.digest(key, data, "blake2s")
    outputs = [hmac.digest(secret, b"\1", "blake2s")]
    for number in range(2, count + 1):
        outputs.append(hmac.digest(secret, outputs[-1] + bytes([number]), "blake2s"))
    return outputs
