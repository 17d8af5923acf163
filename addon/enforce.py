"""What `mitmdump -s` loads: names the addon, nothing else."""

import sys

try:
    from embargo.enforce.addon import Embargo
except ImportError as missing:
    # SystemExit, since mitmproxy only logs other failures and would serve without us.
    sys.exit(
        f"embargo: {missing}. Install mitmproxy-embargo into mitmproxy's own Python: {sys.executable} -m pip install ."
    )

_embargo = Embargo()
# The script is the addon itself, not one more below it: mitmproxy asks each at every event, some 2 µs (measured).
load, configure, running = _embargo.load, _embargo.configure, _embargo.running
