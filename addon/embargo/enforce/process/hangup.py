"""SIGHUP: reads the policy anew, as daemons do; where the terminal has gone, it ends the proxy as ever."""

import asyncio
import os
import signal
from collections.abc import Callable


def follow_hangups(reload: Callable[[], None], end: Callable[[], None]) -> None:
    """Call *reload* on each SIGHUP, *end* instead once the terminal that we were started on is gone.

    Of the running event loop; does nothing on platforms without the signal. Under `nohup` a lost terminal ends
    nothing.
    """
    if not hasattr(signal, "SIGHUP"):
        return
    ends_with_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()

    def hung_up() -> None:
        if ends_with_terminal and not _has_terminal():
            end()
        else:
            reload()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hung_up)


def _has_terminal() -> bool:
    """Whether the process has a controlling terminal that is still connected."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True
