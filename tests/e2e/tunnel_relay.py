"""Runs a client that knows no proxy: `tunnel_relay.py PROXY_PORT HOST:PORT COMMAND… PORT …`.

PORT in the command becomes that of a listener whose first connection is relayed through a tunnel of the proxy.
Ends with the command's code; says on standard error how the proxy answered where it refused the CONNECT.
"""

import contextlib
import socket
import subprocess
import sys
import threading


def relay(source: socket.socket, target: socket.socket) -> None:
    """Bytes from one to the other; where either ends, both do."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def open_tunnel(port: int, target: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n") and (byte := connection.recv(1)):
        head += byte
    if b" 200 " not in head:
        sys.exit("the CONNECT was answered: " + head.decode("latin-1").splitlines()[0])
    return connection


def main() -> int:
    tunnel = open_tunnel(int(sys.argv[1]), sys.argv[2])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        command = [port if part == "PORT" else part for part in sys.argv[3:]]
        client = subprocess.Popen(command, stdin=subprocess.PIPE)
        accepted, _ = listener.accept()
        threading.Thread(target=relay, args=(accepted, tunnel), daemon=True).start()
        answers = threading.Thread(target=relay, args=(tunnel, accepted), daemon=True)
        answers.start()
        assert client.stdin is not None
        client.stdin.write(sys.stdin.buffer.read())
        client.stdin.flush()
        answers.join()  # its input stays open till then: at its end gnutls-cli says goodbye, answer or not
        with contextlib.suppress(OSError):
            client.stdin.close()
        return client.wait()


if __name__ == "__main__":
    sys.exit(main())
