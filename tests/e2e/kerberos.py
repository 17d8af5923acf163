"""A Kerberos realm of the test's own on loopback: MIT's key distribution centre, one user, one service."""

import os
import subprocess
import time
from pathlib import Path

from e2e.proxy import PATIENCE
from e2e.servers import program
from ports import free_port

REALM = "EXAMPLE.COM"
SERVICE = f"HTTP/localhost@{REALM}"

_CLIENT = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = {realm}
"""
_SERVER = """\
[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {directory}/principal
  key_stash_file = {directory}/stash
  acl_file = {directory}/acl
 }}
"""


class Kerberos:
    """A running realm. *environment* is that of its clients, and of the service."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        known = {"realm": REALM, "port": self.port, "directory": directory}
        (directory / "krb5.conf").write_text(_CLIENT.format(**known))
        (directory / "kdc.conf").write_text(_SERVER.format(**known))
        self.keytab = directory / "proxy.keytab"
        self.environment = {
            **os.environ,
            "KRB5_CONFIG": str(directory / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(directory / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{directory}/tickets",
        }
        self._run("kdb5_util", "create", "-s", "-P", "master-phrase", "-r", REALM)
        self._run("kadmin.local", "-q", f"addprinc -randkey {SERVICE}")
        self._run("kadmin.local", "-q", f"ktadd -k {self.keytab} {SERVICE}")
        self.keytab.chmod(0o644)  # Squid's own user reads it
        with (directory / "kdc.txt").open("wb") as output:
            self.process = subprocess.Popen(
                [program("krb5kdc"), "-n"], env=self.environment, stdout=output, stderr=output
            )

    def log_in(self, user: str, password: str) -> None:
        """Make *user* known, and get a ticket as such."""
        self._run("kadmin.local", "-q", f"addprinc -pw {password} {user}")
        deadline = time.monotonic() + PATIENCE
        while True:
            done = subprocess.run(
                [program("kinit"), user], input=password + "\n", env=self.environment, capture_output=True, text=True,
                timeout=PATIENCE, check=False,
            )  # fmt: skip
            if done.returncode == 0:
                return
            assert self.process.poll() is None and time.monotonic() < deadline, done.stderr
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(
            [program(name), *arguments], env=self.environment, check=True, capture_output=True, timeout=PATIENCE
        )
