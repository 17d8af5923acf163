"""Every setting in docs/how-to/point-clients-at-the-proxy.md that this machine has a client for, run as it stands.

Each is written as the page has it, with the proxy's address put in, and the client then asks for a banned name and for
an innocent one: the first is refused by embargo, the second reaches the origin.
"""

import json
import os
import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from docs.pages import ROOT, blocks
from e2e.conftest import SMALL, Start
from e2e.origin import Origin
from e2e.proxy import PATIENCE, Proxy

PAGE = ROOT / "docs/how-to/point-clients-at-the-proxy.md"
BLOCKS = {mark: block.text for block in blocks(PAGE) for mark in block.marks}
EXAMPLE = "proxy.example.com:3128"
INNOCENT, BANNED = "http://innocent.test/", "http://www.banned.test/"


@pytest.fixture(scope="module")
def proxy(start_for_module: Start) -> Proxy:
    return start_for_module(SMALL, command="embargo")


@pytest.fixture
def home(tmp_path: Path, proxy: Proxy) -> Iterator["Home"]:
    yield Home(tmp_path, proxy)


class Home:
    """A user's surroundings, in which nothing is set yet."""

    def __init__(self, directory: Path, proxy: Proxy) -> None:
        self.directory, self.proxy = directory, proxy
        self.environment = {
            "HOME": str(directory),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "XDG_CONFIG_HOME": str(directory / "config"),
            "XDG_RUNTIME_DIR": str(directory),
            "GSETTINGS_BACKEND": "keyfile",
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",  # any npm command may ask for a newer one
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }

    def block(self, mark: str) -> str:
        """The example *mark* of the page, for this proxy."""
        port = str(self.proxy.port)
        text = BLOCKS[mark].replace(EXAMPLE, f"127.0.0.1:{port}").replace("proxy.example.com", "127.0.0.1")
        return re.sub(r"\b3128\b", port, text)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def set_variables(self, mark: str) -> None:
        for line in self.block(mark).splitlines():
            name, _, value = line.partition("=")
            self.environment[name] = value

    def run_block(self, mark: str) -> None:
        for line in self.block(mark).splitlines():
            done = self.run(*shlex.split(line.removeprefix("$ ")))
            assert done.returncode == 0, done.stderr


def curl(home: Home, address: str) -> str:
    home.set_variables("linux-environment")
    return home.run("curl", "-sS", "--max-time", "20", address).stdout


def wget(home: Home, address: str) -> str:
    home.set_variables("linux-environment")
    done = home.run("wget", "-q", "-t1", "-T20", "-O-", "--content-on-error", address)
    return done.stdout + done.stderr


def urllib(home: Home, address: str) -> str:
    home.set_variables("linux-environment")
    program = (
        "import sys, urllib.request, urllib.error\n"
        "try: print(urllib.request.urlopen(sys.argv[1], timeout=20).read().decode())\n"
        "except urllib.error.HTTPError as error: print(error.read().decode())"
    )
    return home.run(sys.executable, "-c", program, address).stdout


def httpx(home: Home, address: str) -> str:
    home.set_variables("linux-environment")
    program = "import sys, httpx; print(httpx.get(sys.argv[1], timeout=20).text)"
    return home.run(sys.executable, "-c", program, address).stdout


def apt(home: Home, address: str) -> str:
    """apt fetches a file by its own transport."""
    settings = home.directory / "90proxy"
    settings.write_text(home.block("apt"))
    home.environment["APT_CONFIG"] = str(settings)
    done = home.run("/usr/lib/apt/apt-helper", "download-file", address, str(home.directory / "fetched"))
    fetched = home.directory / "fetched"
    return (fetched.read_text() if fetched.exists() else "") + done.stdout + done.stderr


def git(home: Home, address: str) -> str:
    home.run_block("git")
    done = home.run("git", "ls-remote", address)
    return done.stderr


def pip(home: Home, address: str) -> str:
    home.environment["PIP_CONFIG_FILE"] = str(home.directory / "pip.conf")
    (home.directory / "pip.conf").touch()
    for line in home.block("pip").splitlines():
        done = home.run(sys.executable, "-m", *shlex.split(line.removeprefix("$ ")))
        assert done.returncode == 0, done.stderr
    host = address.removeprefix("http://").strip("/")
    options = ["--no-deps", "--retries", "0", "--trusted-host", host, "--index-url", address]
    done = home.run(sys.executable, "-m", "pip", "-v", "download", *options, "nothing-of-that-name")
    return done.stdout + done.stderr


def npm(home: Home, address: str) -> str:
    home.run_block("npm")
    options = ["--registry", address, "--fetch-retries=0", "--no-audit", "--loglevel=http"]
    done = home.run("npm", "view", *options, "nothing-of-that-name")
    return done.stdout + done.stderr


JAVA = """\
import java.net.*; import java.net.http.*; import java.io.*;
class Ask {
  public static void main(String[] words) throws Exception {
    HttpURLConnection old = (HttpURLConnection) new URL(words[0]).openConnection();
    old.setRequestProperty("Accept", "*/*");
    InputStream body = old.getResponseCode() < 400 ? old.getInputStream() : old.getErrorStream();
    System.out.println(new String(body.readAllBytes()).strip());
    HttpRequest request = HttpRequest.newBuilder(URI.create(words[0])).build();
    System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body().strip());
  }
}
"""


def java(home: Home, address: str) -> str:
    home.set_variables("java")
    program = home.directory / "Ask.java"
    program.write_text(JAVA)
    done = home.run("java", str(program), address)
    said = done.stdout.strip().splitlines()
    assert len(said) == 2, done.stderr
    assert said[0][:9] == said[1][:9], "both of Java's clients go the same way"
    return done.stdout


CLIENTS: dict[str, tuple[str, Callable[[Home, str], str], str, str]] = {
    # client: (program, how it asks, what shows the refusal, what shows that the innocent name passed)
    "curl": ("curl", curl, "This app is not allowed here", "origin 1.1 GET"),
    "wget": ("wget", wget, "This app is not allowed here", "origin 1.1 GET"),
    "Python's urllib": (sys.executable, urllib, "This app is not allowed here", "origin 1.1 GET"),
    "Python's httpx": (sys.executable, httpx, "This app is not allowed here", "origin 1.1 GET"),
    "apt": ("/usr/lib/apt/apt-helper", apt, "403", "origin 1.1 GET"),
    "git": ("git", git, "403", "not valid: is this a git repository?"),
    "pip": (sys.executable, pip, "No matching distribution found", "No matching distribution found"),
    "npm": ("npm", npm, "403", "http fetch GET 200"),
    "Java": ("java", java, "This app is not allowed here", "origin 1.1 GET"),
}
HERE = {name: case for name, case in CLIENTS.items() if shutil.which(case[0])}


@pytest.mark.parametrize("name", HERE)
def test_client(name: str, home: Home, origin: Origin) -> None:
    _, ask, refusal, passed = HERE[name]
    before = home.proxy.settled()
    told = ask(home, BANNED)
    assert refusal in told, told
    records = home.proxy.wait_decisions(before, 1)
    assert {record["destination"]["domain"] for record in records} == {"www.banned.test"}
    assert origin.connections == 0
    told = ask(home, INNOCENT)
    assert passed in told, told
    assert origin.connections > 0


def test_most_clients_are_here() -> None:
    """Those of every machine that can run the tests at all."""
    assert {"curl", "git", "Python's urllib", "Python's httpx", "pip"} <= set(HERE)


def _has_gnome_settings() -> bool:
    if (program := shutil.which("gsettings")) is None:
        return False
    done = subprocess.run([program, "list-schemas"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    return "org.gnome.system.proxy" in done.stdout.split()


if _has_gnome_settings():  # the schema is GNOME's: elsewhere there is nothing to set

    def test_gnome_takes_the_settings(home: Home) -> None:
        home.run_block("gnome")
        for key, value in (("mode", "auto"), ("autoconfig-url", "http://pac.example.com/proxy.pac")):
            assert home.run("gsettings", "get", "org.gnome.system.proxy", key).stdout.strip() == repr(value)


def test_docker_settings_are_whole() -> None:
    settings = json.loads(BLOCKS["docker-client"])
    assert set(settings["proxies"]["default"]) == {"httpProxy", "httpsProxy", "noProxy"}
    assert set(json.loads(BLOCKS["docker-daemon"])["proxies"]) == {"http-proxy", "https-proxy", "no-proxy"}


def test_chromium_and_firefox_policies_are_whole() -> None:
    chromium = json.loads(BLOCKS["chromium-policy"])
    assert chromium["ProxySettings"]["ProxyPacMandatory"] is True
    firefox = json.loads(BLOCKS["firefox-policy"])["policies"]
    assert firefox["Preferences"]["network.proxy.failover_direct"] == {"Value": False, "Status": "locked"}
    assert json.loads(BLOCKS["android-policy"])


def test_apple_profile_is_one() -> None:
    profile = plistlib.loads(BLOCKS["apple-profile"].encode())
    proxy, restrictions = profile["PayloadContent"]
    assert proxy["ProxyPACFallbackAllowed"] is False
    assert restrictions["allowCloudPrivateRelay"] is False
    identifiers = [profile["PayloadUUID"], *(payload["PayloadUUID"] for payload in profile["PayloadContent"])]
    assert len(set(identifiers)) == 3
