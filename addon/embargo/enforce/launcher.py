"""`embargo run`: mitmproxy with the addon built in, and with what a stock mitmdump lacks for a company."""

import logging
from collections.abc import Sequence

from mitmproxy import options
from mitmproxy.tools import cmdline
from mitmproxy.tools.dump import DumpMaster
from mitmproxy.tools.main import run as run_mitmproxy

from embargo.enforce.addon import Embargo

COMPANY_SETTINGS = (  # before the operator's own, so that those win
    "stream_large_bodies=1m",  # one download of 600 MB took 1.3 GB otherwise (measured)
    "flow_detail=0",  # full URLs, tokens included, would go to standard output
    "onboarding=false",  # mitm.it hands the CA to whoever asks
)


class EmbargoMaster(DumpMaster):
    """mitmdump with the gate mounted before any option is read."""

    def __init__(self, opts: options.Options) -> None:
        super().__init__(opts, with_dumper=False)
        # A line for each connection, with client and host, would keep beside the log what the policy leaves out of it.
        logging.getLogger("mitmproxy.proxy.server").setLevel(logging.WARNING)
        self.addons.register(Embargo(keep_messages=False))  # mitmproxy#6620


def run(arguments: Sequence[str]) -> None:
    """Serve until told to stop. *arguments* are mitmdump's; raises SystemExit for unusable ones."""
    settings = [part for setting in COMPANY_SETTINGS for part in ("--set", setting)]
    run_mitmproxy(EmbargoMaster, cmdline.mitmdump, [*settings, *arguments])
