"""The steps to a name-constrained intermediate, as docs/how-to/trust-the-ca.md gives them, run in a shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from docs.pages import ROOT, blocks
from docs.test_commands import shell_lines

PAGE = ROOT / "docs/how-to/trust-the-ca.md"
BOUND = 60  # seconds: a bound on waiting, never a measure


def shell(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["sh", "-c", line], cwd=directory, env=environment, capture_output=True, text=True, timeout=BOUND, check=False
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A proxy's directory, and in it the company's root."""
    shutil.copy(ROOT / "domains.yaml", tmp_path)
    made = shell(
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 3650 -subj '/CN=Example Corp'",
        tmp_path,
    )
    assert made.returncode == 0, made.stderr
    return tmp_path


def test_the_steps(place: Path) -> None:
    lines = [line for block in blocks(PAGE) if "run" in block.marks for line in shell_lines(block)]
    assert len(lines) >= 8
    said = {}
    for line in lines:
        done = shell(line, place)
        assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
        said[line] = done.stdout
    constraints = next(text for line, text in said.items() if "-ext nameConstraints" in line)
    assert "X509v3 Name Constraints: critical" in constraints
    assert "DNS:alipay.com\n" in constraints
    assert "IP:0.0.0.0/0.0.0.0" in constraints
    chain = x509.load_pem_x509_certificates((place / "conf/mitmproxy-ca.pem").read_bytes())
    assert [each.subject.rfc4514_string() for each in chain] == ["CN=embargo proxy CA", "CN=Example Corp"]
    assert all("not-permitted-by-ca" not in text for text in said.values())


def test_what_is_lost_without_copying_the_extensions(place: Path) -> None:
    """As the page says: openssl then makes a certificate that is no CA, which is refused."""
    for line in (
        "embargo ca request --policy domains.yaml",
        "openssl x509 -req -in embargo-ca.csr -CA root.pem -CAkey root.key -days 398 -out embargo-ca.pem",
        "cat embargo-ca.pem root.pem > chain.pem",
    ):
        assert shell(line, place).returncode == 0
    refused = shell("embargo ca install chain.pem --confdir conf", place)
    assert refused.returncode == 2
    assert "is no CA certificate" in refused.stderr
    assert not (place / "conf").exists()
