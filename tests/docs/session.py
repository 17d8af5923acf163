"""Inside the machine: one page's commands in one shell, one after another, as a reader would type them.

What keeps running (a proxy) is started on a terminal of its own and ended before the next one. What belongs to
another machine (systemd, a container engine, a desktop) is a stand-in that does as much of it as can be done here.
"""

import contextlib
import datetime
import json
import os
import pty
import re
import shutil
import signal
import ssl
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from docs.pages import ROOT, Block, blocks
from docs.test_commands import shell_lines
from embargo.journal.status import Liveness, running

PATIENCE = 60.0  # seconds for a command: a bound on waiting, never a measure
HOME = Path("/root/reader")
CHECKOUT = HOME / "embargo"
BIN = Path(sys.executable).parent
PACKAGES = next((BIN.parent / "lib").glob("python3*/site-packages"))
RUNTIME = HOME / "run"

HOSTS = ("example.com", "www.example.com", "upload.filedrop.example", "files.filedrop.example")
SERVICE = re.compile(r"(?:[\w./]*/)?(?:make run|embargo run|mitmdump|mitmproxy|mitmweb)\b")
UNIT = re.compile(r"systemctl enable --now embargo\b")
FOLLOWING = re.compile(r"embargo log .*--follow|embargo log --follow")
UNFINISHED = re.compile(r"…|\.\.\. ?$")  # the reader is to put something of their own there
RECURSION = re.compile(r"make (?:test|setup|bench|soak|fuzz)\b")  # this runs inside of `make test`

STAND_INS = {  # program: what it does here
    "sudo": 'exec "$@"',
    "docker": "exit 0",  # tests/docs/test_deploy.py holds what it is told
    "systemctl": "exit 0",
    "gsettings": "exit 0",  # tests/e2e/test_client_settings.py runs it where it is to be had
    "npm": "exit 0",
    "less": 'exec cat "$@"',
    "htpasswd": "test -s /etc/embargo/htpasswd",  # it asks for a password on the terminal
    "logger": "exit 0",
    "chromium": 'exec "$REAL_CHROMIUM" --headless --no-sandbox --disable-gpu --dump-dom "$@"',
}
KEPT = frozenset({"docker", "gsettings", "npm", "less", "logger"})  # the real one, where it is there, would do as well

ELSEWHERE = {  # what other programs of that machine have written
    "/etc/embargo/htpasswd": "alice:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
    "/var/lib/embargo/identities.csv": "address,user,from,until\n10.20.3.17,alice,,\n",
    "/var/lib/misc/dnsmasq.leases": "1795525200 02:00:00:00:00:01 10.20.3.17 alice *\n",
    "/var/log/squid/access.log": "1795521600.221 12 10.0.0.7 TCP_MISS/200 9 GET http://qq.com/ - HIER_NONE/- -\n",
    "/run/openvpn/status.log": "CLIENT_LIST,alice,198.51.100.7:1194,10.8.0.6,,1\nEND\n",
}
FILES = {  # what the reader has already
    "site.yaml": "version: 1\ninclude: [domains.yaml]\nsettings: {organization: Example Corp}\n",
    "trial.yaml": "version: 1\ninclude: [domains.yaml]\nsettings: {organization: Example Corp, default: block}\n",
    "extra-tests.yaml": "version: 1\ntests:\n  - {request: www.alipay.com, expect: block}\n",
    "access.log": "1795521600.123     45 10.20.0.7 TCP_TUNNEL/200 3912 CONNECT www.tiktok.com:443 - HIER_NONE/- -\n",
    "hosts.txt": "www.alipay.com\nexample.com\n",
    "domain-list-community/data/zoom": "include:zoom-cdn\nzoom.example @ads\nfull:www.zoom.test\nkeyword:zoom\n",
    "domain-list-community/data/zoom-cdn": "cdn.zoom.test\n",
    "wechat.yml": "id: wechat\nname: WeChat\nrules:\n  - '||wechat.com^'\n  - '||wechat-new.example^'\n",
    "top.txt": "1,qq.com\n2,example.com\n3,alipay.com\n",
}
NEEDS_PROXY = re.compile(
    r"embargo (?:status|log|hold|report|probe|except|break-glass|replay|suggest)\b|127\.0\.0\.1:8080"
)


def main() -> None:
    page = Path(sys.argv[1])
    prepare(page)
    with serving_origin(), Reader() as reader:
        results = list(reader.read(page))
    print()
    print(json.dumps(results))


def prepare(page: Path) -> None:
    """The reader's home: a checkout, the files that the page names, and stand-ins on the path."""
    CHECKOUT.mkdir(parents=True)
    RUNTIME.mkdir(mode=0o700)
    tracked = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.split(b"\0")  # fmt: skip
    for name in map(os.fsdecode, filter(None, tracked)):
        if (ROOT / name).is_file():
            (CHECKOUT / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, CHECKOUT / name)
    (CHECKOUT / ".venv").symlink_to(BIN.parent)
    (BIN.parent / ".installed").touch()  # `make setup` was; to do it again needs a network
    for name, text in FILES.items():
        (CHECKOUT / name).parent.mkdir(parents=True, exist_ok=True)
        (CHECKOUT / name).write_text(text)
    newer = (CHECKOUT / "domains.yaml").read_text(encoding="utf-8")
    newer = re.sub(r"^released: .*$", "released: 2027-01-01", newer, count=1, flags=re.MULTILINE)
    newer = newer.replace("    endpoints:\n", "    endpoints:\n      - {domain: brand-new.example}\n", 1)
    (CHECKOUT / "new").mkdir(exist_ok=True)
    (CHECKOUT / "new/domains.yaml").write_text(newer, encoding="utf-8")
    for block in blocks(page):
        if block.file is not None and block.file not in ("domains.yaml", "follow-the-law.yaml"):
            (CHECKOUT / block.file).parent.mkdir(parents=True, exist_ok=True)
            (CHECKOUT / block.file).write_text(block.text, encoding="utf-8")
    _make_repository()
    stand_ins = HOME / "bin"
    stand_ins.mkdir()
    for program, does in STAND_INS.items():
        if program in KEPT and program != "docker" and shutil.which(program):
            continue
        (stand_ins / program).write_text(f"#!/bin/sh\n{does}\n")
        (stand_ins / program).chmod(0o755)
    for directory in ("/etc/embargo", "/var/lib/embargo", "/var/log/embargo", "/run/embargo"):
        Path(directory).mkdir(parents=True, exist_ok=True)
    for file, text in ELSEWHERE.items():
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text)
    for address in ("10.0.0.2/32", "10.0.9.11/32"):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)


def _make_repository() -> None:
    """Two revisions of site.yaml on the branch main."""
    site = CHECKOUT / "site.yaml"
    text = site.read_text()
    who = ["-c", "user.name=reader", "-c", "user.email=reader@example.com", "-c", "init.defaultBranch=main"]
    for command in (["init"], ["add", "site.yaml", "domains.yaml"], ["commit", "-m", "one"]):
        subprocess.run(["git", *who, *command], cwd=CHECKOUT, check=True, capture_output=True)
    site.write_text(f"{text}# edited\n")
    subprocess.run(["git", *who, "commit", "-am", "two"], cwd=CHECKOUT, check=True, capture_output=True)
    site.write_text(text)


@contextlib.contextmanager
def serving_origin() -> Iterator[None]:
    """example.com and a few others on this loopback, under a root that this machine trusts."""
    certificate, key = _certificates()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Path("/etc/hosts").open("a") as file:
        file.write("".join(f"127.0.0.1 {name}\n" for name in HOSTS))
    Path("/etc/resolv.conf").unlink(missing_ok=True)
    Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    servers = [ThreadingHTTPServer(("127.0.0.1", port), _Answer) for port in (80, 443)]
    servers[1].socket = context.wrap_socket(servers[1].socket, server_side=True)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    for server in servers:
        server.shutdown()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<title>Example Domain</title>\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _certificates() -> tuple[Path, Path]:
    """A certificate for `HOSTS` and its key; its root is added to the ones that this machine trusts."""
    now = datetime.datetime.now(datetime.UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Root")])

    def build(subject: str, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> x509.Certificate:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(root_key, hashes.SHA256())
        )

    root = build("Example Root", root_key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in HOSTS])
    leaf = build("example.com", key.public_key(), names)
    certificate, key_file = HOME / "origin.pem", HOME / "origin.key"
    certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    pem = root.public_bytes(serialization.Encoding.PEM)
    trusted = Path("/etc/ssl/certs/ca-certificates.crt")
    trusted.write_bytes(trusted.read_bytes() + pem)
    # the company's own root, which pages name root.pem
    (CHECKOUT / "root.pem").write_bytes(pem)
    (CHECKOUT / "root.key").write_bytes(
        root_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, key_file


class Reader:
    """Somebody with a shell in the checkout, and a second terminal in which a proxy runs."""

    def __init__(self) -> None:
        self.environment = {
            "HOME": str(HOME),
            "PATH": f"{HOME}/bin:{BIN}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(HOME / ".local/state"),
            "XDG_RUNTIME_DIR": str(RUNTIME),
            "LANG": "C.UTF-8",
            "EDITOR": "true",
            "USER": "reader",
            # a machine without a way out: what is installed comes from what is there
            "PYTHONPATH": str(PACKAGES),
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's own way of saying yes
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "REAL_CHROMIUM": shutil.which("chromium") or "chromium",
        }
        self.service: subprocess.Popen[bytes] | None = None
        self.shell = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=self.environment, cwd=CHECKOUT, text=True, errors="replace", bufsize=1,
        )  # fmt: skip

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_service()
        self.shell.kill()

    def read(self, page: Path) -> Iterator[dict[str, object]]:
        """Each command of *page*, run."""
        found = [(block, line) for block in blocks(page) if block.language == "console" for line in shell_lines(block)]
        starts = (at for at, (_, line) in enumerate(found) if SERVICE.match(line) or UNIT.match(line))
        before = found[: next(starts, None)]
        counted = any("census" in line for _, line in found)
        if any("restore previous" in line for _, line in found):
            self._have_history()
        elif counted or any(NEEDS_PROXY.search(line) for _, line in before):
            self.start_service("embargo run --no-console")
        if counted:
            self.start_service("embargo run --no-console")  # the one that ended has written what it counted
        for block, line in found:
            if RECURSION.match(line) or UNFINISHED.search(line):
                continue
            code, output = self.run(line)
            yield {
                "line": block.line, "command": line, "code": code, "output": output, "expected": expected(block, line),
            }  # fmt: skip

    def _have_history(self) -> None:
        """A proxy that has had two policies, one after another."""
        self.start_service("embargo run --no-console --policy site.yaml")
        before = _digests()
        with (CHECKOUT / "site.yaml").open("a") as file:
            file.write("# edited\n")
        deadline = time.monotonic() + PATIENCE
        while _digests() == before and time.monotonic() < deadline:
            time.sleep(0.1)

    def run(self, line: str) -> tuple[int, str]:
        """Exit code and output of *line*."""
        if UNIT.match(line):
            text = Path("/etc/systemd/system/embargo.service").read_text()
            command = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
            assert command is not None
            places = {"%S": "/var/lib", "%L": "/var/log", "%t": "/run", "%E": "/etc"}  # systemd.unit(5), Specifiers
            return self.start_service(
                re.sub("%[SLtE]", lambda found: places[found[0]], command[1]),
                RUNTIME_DIRECTORY="/run/embargo", STATE_DIRECTORY="/var/lib/embargo",
                LOGS_DIRECTORY="/var/log/embargo", CONFIGURATION_DIRECTORY="/etc/embargo",
            )  # fmt: skip
        if SERVICE.match(line):
            return self.start_service(line)
        if FOLLOWING.search(line):
            return self.say(f"timeout --signal INT 3 {line}; test $? = 124")
        return self.say(line)

    def say(self, line: str) -> tuple[int, str]:
        """*line*, in the shell."""
        assert self.shell.stdin is not None and self.shell.stdout is not None
        mark = f"mark-{os.urandom(8).hex()}"
        guard = threading.Timer(PATIENCE, self._interrupt)
        guard.start()
        quoted = line.replace("'", "'\\''")
        self.shell.stdin.write(f"eval '{quoted}' </dev/null; printf '\\n%s %d\\n' {mark} $?\n")
        output = []
        try:
            for said in self.shell.stdout:
                if said.startswith(mark):
                    return int(said.split()[1]), "".join(output)
                output.append(said)
        finally:
            guard.cancel()
        return -1, "".join(output) + "the shell ended"

    def _interrupt(self) -> None:
        for child in Path(f"/proc/{self.shell.pid}/task/{self.shell.pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    def start_service(self, line: str, **directories: str) -> tuple[int, str]:
        """*line* on a terminal of its own, until a proxy there enforces a policy."""
        self.stop_service()
        _, path = self.say('printf "%s" "$PATH"')
        _, where = self.say("pwd")
        ours, its = pty.openpty()
        termios.tcsetwinsize(its, (40, 120))  # rows and columns
        environment = {**self.environment, "PATH": path.strip(), "TERM": "xterm-256color", **directories}
        self.service = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-c", f"exec {line}"],
            stdin=its, stdout=its, stderr=its, env=environment, cwd=where.strip(), start_new_session=True,
        )  # fmt: skip
        os.close(its)
        output = bytearray()

        def drain() -> None:
            with contextlib.suppress(OSError):
                while data := os.read(ours, 65536):
                    output.extend(data)

        threading.Thread(target=drain, daemon=True).start()
        runtime = Path(directories.get("RUNTIME_DIRECTORY", RUNTIME / "embargo"))
        deadline = time.monotonic() + PATIENCE
        while self.service.poll() is None and time.monotonic() < deadline:
            answers = [status for status in running(runtime) if status.liveness is Liveness.RUNNING]
            if any(status.part("policy") and status.answer.get("listen") for status in answers):
                self._make_traffic(answers[0].answer["listen"])
                return 0, output.decode(errors="replace")
            time.sleep(0.1)
        code = self.service.poll()
        return (code if code is not None else -1), output.decode(errors="replace")

    def _make_traffic(self, listen: list[str]) -> None:
        """Something for the log to tell of."""
        host, _, port = listen[0].rpartition(":")
        proxy = f"http://{'127.0.0.1' if host in ('', '0.0.0.0', '::') else host}:{port}"
        for url in ("http://www.alipay.com/", "https://pay.weixin.qq.com/", "http://example.com/"):
            subprocess.run(["curl", "-sx", proxy, "-o", "/dev/null", url], check=False, timeout=PATIENCE)

    def stop_service(self) -> None:
        """End the proxy that runs, as Ctrl-C does."""
        if self.service is None:
            return
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.service.poll() is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.service.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.service.wait(15)
        self.service = None


def _digests() -> list[object]:
    return [status.part("policy").get("digest") for status in running(RUNTIME / "embargo")]


EXPECTED = {  # commands of which the page says that they end with something else than 0
    "embargo sinks status": [1],  # nobody delivers: what ran was `--once`
    "embargo test --policy lab.yaml --at 2026-11-24 --mutate": [1],  # a mutation survives
}


def expected(block: Block, line: str) -> list[int]:
    """The exit codes that are right for *line*."""
    after = block.text.replace("\\\n", " ").partition(line)[2].partition("\n$ ")[0]
    if refused := re.search(r"curl: \((\d+)\)", after):
        return [int(refused[1])]
    return EXPECTED.get(line, [0])


if __name__ == "__main__":
    main()
