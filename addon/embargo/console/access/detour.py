"""Whether a request came through the very proxy that the console watches: then it is refused, whoever it says it is.

A forward proxy opens whatever address it is asked for, the loopback of its own machine too. So a client of it could
reach a console that listens on loopback alone, and where a reverse proxy on this machine is trusted to name users, say
in its place who he is. The kernel knows better: it tells which process holds the other end of a connection
(/proc/net/tcp, proc(5)), and each process of the proxies has a socket in the runtime directory, named by its number.
"""

from collections.abc import Iterator
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def can_tell() -> bool:
    """Whether this system has what it takes."""
    return _TABLES[0].exists()


def through_proxy(runtime: Path, theirs: int, ours: int, tables: tuple[Path, ...] = _TABLES) -> bool:
    """Whether a proxy with a socket in *runtime* holds the other end of a connection between the two ports.

    *theirs* is the port of the other end, *ours* the console's. False where the other end is on another machine.
    """
    processes = list(_processes(runtime))
    if not processes:
        return False
    held = list(_sockets(theirs, ours, tables))
    return any(_holds(process, inode, owner) for inode, owner in held for process in processes)


def _processes(runtime: Path) -> Iterator[int]:
    try:
        names = [path.name for path in runtime.iterdir()]
    except OSError:
        return
    for name in names:
        number, dot, kind = name.partition(".")
        if number.isdecimal() and dot and kind == "sock":
            yield int(number)


def _sockets(theirs: int, ours: int, tables: tuple[Path, ...]) -> Iterator[tuple[str, int]]:
    """Inode and owner of each socket of this machine that has *theirs* here and *ours* at its other end."""
    here, there = f":{theirs:04X}", f":{ours:04X}"
    for table in tables:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            if here in line and there in line:
                cells = line.split()
                if cells[1].endswith(here) and cells[2].endswith(there):
                    yield cells[9], int(cells[7])


def _holds(process: int, inode: str, owner: int) -> bool:
    """Whether *process* holds that socket; where we may not look, whether its user does."""
    wanted = f"socket:[{inode}]"
    try:
        descriptors = list(Path(f"/proc/{process}/fd").iterdir())
    except PermissionError:
        return _owner(process) == owner
    except OSError:
        return False  # it is gone
    for descriptor in descriptors:
        try:
            if str(descriptor.readlink()) == wanted:
                return True
        except OSError:
            continue
    return False


def _owner(process: int) -> int | None:
    try:
        return Path(f"/proc/{process}").stat().st_uid
    except OSError:
        return None
