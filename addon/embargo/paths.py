"""Where embargo keeps things: the directories that the environment names, and the shipped files.

`$LOGS_DIRECTORY`, `$STATE_DIRECTORY` and `$RUNTIME_DIRECTORY` are systemd's; `$XDG_*` the desktop's.
"""

import os
import tempfile
from pathlib import Path

SHIPPED = ("domains.yaml", "follow-the-law.yaml")


def log_directory() -> Path:
    """The decision log's directory; it need not exist."""
    if named := os.environ.get("LOGS_DIRECTORY"):
        return Path(named.split(":")[0])
    return _xdg("XDG_STATE_HOME", ".local/state") / "embargo" / "log"


def state_directory() -> Path:
    """Where compiled policies and the last known good lie; it need not exist."""
    if named := os.environ.get("STATE_DIRECTORY"):
        return Path(named.split(":")[0])
    return _xdg("XDG_STATE_HOME", ".local/state") / "embargo"


def runtime_directory() -> Path:
    """Where each running proxy's socket lies; it need not exist."""
    if named := os.environ.get("RUNTIME_DIRECTORY"):
        return Path(named.split(":")[0])
    if named := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(named) / "embargo"
    return Path(tempfile.gettempdir()) / f"embargo-{os.getuid()}"


def default_policy() -> Path:
    """The policy used where none is named: ./domains.yaml, the user's own, else the shipped one."""
    for candidate in (Path("domains.yaml"), _xdg("XDG_CONFIG_HOME", ".config") / "embargo" / "domains.yaml"):
        if candidate.exists():
            return candidate
    return shipped("domains.yaml")


def shipped(name: str) -> Path:
    """The shipped file *name*: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "shipped" / name
    return installed if installed.exists() else package.parent.parent / name


def private_directory(path: Path) -> Path:
    """*path* made where it is missing, for us alone (mode 700).

    Raises OSError where it cannot be made, or where it belongs to somebody else: a directory under the
    system's temporary one may have been put there to read our state.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(f"{path} belongs to another user")
    return path


def _xdg(variable: str, below_home: str) -> Path:
    named = os.environ.get(variable)
    return Path(named) if named else Path.home() / below_home
