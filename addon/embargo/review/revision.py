"""A policy as a revision of a git repository has it: its files in a directory of their own, nothing checked out.

Only objects are read (`git cat-file`), so neither the work tree nor the index is touched, and no hook, filter or text
conversion of the repository runs. What a policy includes is followed as the loader does.
"""

import os
import posixpath
import re
import stat
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embargo.policy.document import parse
from embargo.policy.layers import DEEPEST_INCLUDE, EXCEPTIONS
from embargo.policy.reading import LARGEST_LIST, Source

_PATIENCE = 60.0  # seconds for one call of git; a blob takes milliseconds
_MOST_FILES = 10_000  # of one policy
_MOST_LINKS = 32  # symbolic links that lead to one another
_OBJECT = re.compile(r"(?P<mode>[0-7]{6}) (?P<kind>blob|tree|commit) (?P<name>[0-9a-f]{40,64})\s+(?P<size>-|[0-9]+)\t")


class RevisionError(Exception):
    """There is no such revision or repository, or git cannot be asked."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit of a repository."""

    text: str  # as the user named it
    commit: str
    top: Path  # the repository's work tree


def find_revision(text: str, beside: Path) -> Revision:
    """The commit that *text* names in the repository that the directory *beside* lies in. Raises RevisionError."""
    if not text or text.startswith("-"):
        raise RevisionError(f"{text!r} is no revision")
    top = _git(beside, "rev-parse", "--show-toplevel").decode(errors="surrogateescape").removesuffix("\n")
    if not top:
        raise RevisionError(f"{beside} lies in no work tree")
    found = _git(beside, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{text}^{{commit}}")
    return Revision(text, found.decode().split()[-1], Path(top))


def materialize(revision: Revision, files: Sequence[Path], directory: Path) -> list[Path]:
    """Write the policy that *files* make at *revision* below *directory*, with all that they name; their paths there.

    *files* are as they are called now, relative to the current directory; one that the revision does not have is left
    out: the loader says so then. Raises OSError, and RevisionError, also where a file names one outside the repository:
    what the machine has there is no part of the revision.
    """
    tree = _Tree(revision, directory)
    named = [tree.relative(file) for file in files]
    for file in named:
        tree.policy(file)
    if named:
        tree.policy(posixpath.join(posixpath.dirname(named[-1]), EXCEPTIONS))
    return [directory / file for file in named]


class _Tree:
    """The part of a revision's tree that a policy needs, written to a directory."""

    def __init__(self, revision: Revision, directory: Path) -> None:
        self._revision, self._directory = revision, directory
        self._seen: set[str] = set()

    def relative(self, file: Path) -> str:
        """*file* relative to the top of the repository. Raises RevisionError for one outside."""
        path = os.path.relpath(os.path.realpath(file.parent) + "/" + file.name, os.path.realpath(self._revision.top))
        if path.startswith(".."):
            raise RevisionError(f"{file} lies outside the repository {self._revision.top}")
        return path

    def policy(self, path: str, depth: int = 0) -> None:
        """Write the policy file at *path* and all that it names, as deep as the loader follows."""
        data = self._write(path)
        if data is None or depth >= DEEPEST_INCLUDE:
            return
        root = parse(Source(path, Path(path), data)).root
        for included in _texts(root.get("include")):
            self.policy(self._beside(path, included), depth + 1)
        apps = root.get("apps")
        for app in apps.values() if isinstance(apps, dict) else ():
            for named in _texts(app.get("endpoints_from")) if isinstance(app, dict) else ():
                self._write(self._beside(path, named))

    def _beside(self, path: str, named: str) -> str:
        """Where the file lies that the one at *path* calls *named*. Raises RevisionError where that is outside."""
        below = posixpath.join(posixpath.dirname(path), named)
        found = posixpath.normpath(below)
        if _outside(found):
            raise RevisionError(f"{self._revision.text}:{path} names {named!r}, which lies outside the repository")
        with suppress(OSError):  # `d/../base.yaml` leads nowhere where `d` is not there
            (self._directory / posixpath.dirname(below)).mkdir(parents=True, exist_ok=True)
        return found

    def _write(self, path: str) -> bytes | None:
        """Write the file at *path*; its bytes, or None where it is written already or is not there."""
        if _outside(path) or path in self._seen or len(self._seen) >= _MOST_FILES:
            return None
        self._seen.add(path)
        data = self._blob(path)
        if data is None:
            return None
        target = self._directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return data

    def _blob(self, path: str) -> bytes | None:
        for _ in range(_MOST_LINKS):
            found, rest = self._object(path), ""
            while found is None and (above := posixpath.dirname(path)):  # below a link to a directory, or not there
                path, rest = above, posixpath.join(posixpath.basename(path), rest).rstrip("/")
                found = self._object(path)
            if found is None or found["kind"] != "blob":
                return None
            if int(found["size"]) > LARGEST_LIST:
                raise RevisionError(f"{self._revision.text}:{path} is too large")
            link = stat.S_ISLNK(int(found["mode"], 8))
            if rest and not link:
                return None
            data = _git(self._revision.top, "cat-file", "blob", found["name"])
            if not link:
                return data
            path = posixpath.normpath(posixpath.join(posixpath.dirname(path), os.fsdecode(data), rest))
            if _outside(path):
                return None
        return None

    def _object(self, path: str) -> re.Match[str] | None:
        listed = _git(self._revision.top, "ls-tree", "-l", "-z", "--full-tree", self._revision.commit, "--", path)
        return _OBJECT.match(listed.decode(errors="surrogateescape"))


def _outside(path: str) -> bool:
    """Whether *path*, normal and relative to the top of the repository, leaves it."""
    return path.startswith("/") or path.split("/", 1)[0] == ".."


def _texts(value: object) -> Iterator[str]:
    """The names in *value*, one or a list; what is none is the loader's to report."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str) and each.strip() and "\0" not in each:
            yield each


def _git(directory: Path, *arguments: str) -> bytes:
    """What git prints. Raises RevisionError."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_LITERAL_PATHSPECS": "1", "LC_ALL": "C"}
    try:
        ran = subprocess.run(  # its words are ours; what a user names stands behind an end of options
            ["git", "-C", str(directory), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=_PATIENCE,
            check=False,
        )
    except FileNotFoundError:
        raise RevisionError("git is not installed, so no revision can be read") from None
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise RevisionError(f"git cannot be asked: {failed}") from failed
    if ran.returncode:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        raise RevisionError(said[-1] if said else "git knows none of that name")
    return ran.stdout
