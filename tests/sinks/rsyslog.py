"""A real rsyslog on loopback with a configuration of its own: what it got, line by line."""

import ipaddress
import os
import shutil
import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from certificates import Signed, rsa_key
from ports import free_ports
from recorded import until
from sample import NOW

PROGRAM = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def authority() -> Signed:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "log CA")])
    key = rsa_key("log CA")
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=4000))
        .not_valid_after(NOW + timedelta(days=4000))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    return Signed(made, key)


def issued(by: Signed, name: str) -> Signed:
    key = rsa_key(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=4000))
        .not_valid_after(NOW + timedelta(days=4000))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.certificate.public_key()), critical=False)
        .sign(by.key, hashes.SHA256())
    )
    return Signed(made, key)


class Rsyslog:
    """Runs until `stop`, and again after `start`; keeps what it got over both."""

    def __init__(self, directory: Path) -> None:
        if PROGRAM is None:
            pytest.fail("rsyslogd is not installed: tools/install-test-tools brings it")
        directory.mkdir()
        self.directory = directory
        self.udp, self.tcp, self.tls, self.relp, self.relps = free_ports(5)
        ca = authority()
        server, client = issued(ca, "localhost"), issued(ca, "client")
        self.ca = directory / "ca.pem"
        self.client = directory / "client.pem"
        self.ca.write_bytes(ca.pem)
        self.client.write_bytes(client.key_pem + client.pem)
        (directory / "server.pem").write_bytes(server.pem)
        (directory / "server.key").write_bytes(server.key_pem)
        self.output = directory / "got.log"
        self.output.touch()
        self._process: subprocess.Popen[bytes] | None = None
        self._write_configuration()

    def _write_configuration(self) -> None:
        home = self.directory
        certificates = f'''"{self.ca}" tls.mycert="{home}/server.pem" tls.myprivkey="{home}/server.key"'''
        # without a queue of its own: what it has answered for is in its file
        (home / "rsyslog.conf").write_text(
            f'''
global(
  workDirectory="{home}" maxMessageSize="64k" parser.permitSlashInProgramname="on"
  defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="{self.ca}"
  defaultNetstreamDriverCertFile="{home}/server.pem" defaultNetstreamDriverKeyFile="{home}/server.key"
)
main_queue(queue.type="Direct")
module(load="imudp")
module(load="imptcp")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
module(load="imrelp" tls.tlslib="openssl")
template(name="raw" type="string" string="%syslogtag% %app-name% %procid% %msgid% %structured-data% %msg%\\n")
ruleset(name="keep") {{
  action(type="omfile" file="{self.output}" template="raw" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imudp" address="127.0.0.1" port="{self.udp}" ruleset="keep")
input(type="imptcp" address="127.0.0.1" port="{self.tcp}" ruleset="keep")
input(type="imtcp" address="127.0.0.1" port="{self.tls}" ruleset="keep")
input(type="imrelp" address="127.0.0.1" port="{self.relp}" ruleset="keep" maxDataSize="64k")
input(type="imrelp" address="127.0.0.1" port="{self.relps}" ruleset="keep" maxDataSize="64k" tls="on"
  tls.cacert={certificates} tls.authmode="certvalid")
''',
            "utf-8",
        )

    def start(self) -> None:
        pid_file = self.directory / "pid"
        pid_file.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            [PROGRAM or "", "-n", "-f", str(self.directory / "rsyslog.conf"), "-i", str(pid_file)],
            stdout=subprocess.DEVNULL,
            stderr=(self.directory / "errors").open("ab"),
        )
        until(pid_file.exists)
        until(self._listens)

    def _listens(self) -> bool:
        found = Path("/proc/net/tcp").read_text()
        return all(f"0100007F:{port:04X} 00000000:0000 0A" in found for port in (self.tcp, self.tls, self.relps))

    def stop(self, *, with_signal: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(20)
            self._process = None

    def lines(self) -> list[str]:
        return self.output.read_text("utf-8").splitlines()
