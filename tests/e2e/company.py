"""A company's own root, and the proxy's intermediate, made as docs/how-to/trust-the-ca.md says: with openssl and us."""

import subprocess
import sys
from pathlib import Path

EMBARGO = str(Path(sys.executable).parent / "embargo")
BOUND = 60  # seconds: a bound on waiting, never a measure


def run(*command: str, cwd: Path) -> str:
    """The output of *command*; fails with what it said."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=BOUND, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


class Company:
    """A root in *directory*, which signs intermediates."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.root, self._key = directory / "root.pem", directory / "root.key"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(self._key),
            "-out", str(self.root), "-days", "30", "-subj", "/CN=Example Corp Test Root",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign", cwd=directory)  # fmt: skip

    def sign(self, request: Path, *, days: int = 20) -> Path:
        """The chain of a signed *request*: the intermediate, then the root."""
        signed, chain = request.with_suffix(".pem"), request.with_suffix(".chain.pem")
        run("openssl", "x509", "-req", "-in", str(request), "-CA", str(self.root), "-CAkey", str(self._key),
            "-days", str(days), "-copy_extensions", "copyall", "-out", str(signed), cwd=self.directory)  # fmt: skip
        chain.write_bytes(signed.read_bytes() + self.root.read_bytes())
        return chain

    def confdir(self, policy: str, name: str, *, days: int = 20, request: tuple[str, ...] = ()) -> Path:
        """mitmproxy's directory with an intermediate for what *policy* opens, all by our own commands."""
        work = self.directory / name
        work.mkdir()
        (work / "domains.yaml").write_text(policy)
        run(EMBARGO, "ca", "request", "--policy", "domains.yaml", *request, cwd=work)
        chain = self.sign(work / "embargo-ca.csr", days=days)
        run(EMBARGO, "ca", "install", str(chain), "--key", "embargo-ca.key", "--confdir", "conf", cwd=work)
        return work / "conf"
