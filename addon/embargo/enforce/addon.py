"""The addon: its options, its place in mitmproxy's chain, and mitmproxy's life as it reaches the gate."""

from collections.abc import Sequence

from mitmproxy import connection as mitm
from mitmproxy.addonmanager import Loader
from mitmproxy.master import Master

from embargo.enforce.entries import Entry, First
from embargo.enforce.gate import release
from embargo.enforce.identity.options import declare
from embargo.enforce.runtime import Runtime
from embargo.enforce.tls.undecided import bound_heads


class Embargo:
    """What a script names. Mounts the gate once; a reload of the script finds it there."""

    name = "embargo"

    def __init__(self, *, keep_messages: bool = True) -> None:
        """*keep_messages*: whether WebSocket and TCP messages stay in memory until their connection ends."""
        self._keep_messages = keep_messages
        self._runtime: Runtime | None = None

    def load(self, loader: Loader) -> None:
        """Declare the options and mount the gate."""
        loader.add_option(
            "embargo_policy", Sequence[str], [], "Policy files, the earliest layer first. Default: ./domains.yaml."
        )
        loader.add_option("embargo_log", str, "", "Directory of the decision log.")
        loader.add_option("embargo_block_page", str, "", "Jinja2 template of the block page. Default: the shipped one.")
        loader.add_option("embargo_console", str, "", "URL of the console, for the link on the block page.")
        loader.add_option("embargo_services", Sequence[str], [], "[ADDRESS:]PORT of embargo's own services.")
        loader.add_option("embargo_metrics", str, "", "[ADDRESS:]PORT at which Prometheus is answered: GET /metrics.")
        loader.add_option("embargo_metrics_token", str, "", "A file with the token that Prometheus has to send.")
        loader.add_option("embargo_stock_hooks", bool, False, "Look for hooks among all addons each time.")
        declare(loader)
        self._runtime = mount(loader.master)
        self._runtime.gate.keep_messages = self._keep_messages

    def configure(self, updated: set[str]) -> None:
        """Options changed."""
        assert self._runtime is not None
        self._runtime.configure(updated)

    def running(self) -> None:
        """The proxy serves."""
        assert self._runtime is not None
        self._runtime.running()


class Last(Entry):
    """The gate's last entry, through which mitmproxy's lifecycle reaches the runtime too."""

    runtime: Runtime

    def configure(self, updated: set[str]) -> None:
        """Options changed."""
        self.runtime.configure(updated)

    def running(self) -> None:
        """The proxy serves."""
        self.runtime.running()

    def client_disconnected(self, client: mitm.Client) -> None:
        """A connection has ended."""
        self.runtime.gate.forget(client)
        release(client)

    def done(self) -> None:
        """The process ends."""
        self.runtime.done()


def mount(master: Master) -> Runtime:
    """Put the gate's entries at both ends of the chain, unless they stand there already."""
    chain = master.addons.chain
    for addon in chain:
        if isinstance(addon, Last):
            return addon.runtime
    bound_heads()
    runtime = Runtime()
    surfaces = runtime.surfaces
    # Where hooks are not called from a list (`dispatch`), an item more in the chain costs every event some 3 µs
    # (measured). So each entry takes a neighbour into its own: the first whichever it is, since it runs before; the
    # last only one that has none of its hooks.
    before, between, after = chain[:1], chain[1:-1], chain[-1:]
    if any(hasattr(neighbour, hook.name) for neighbour in after for hook in surfaces.last):
        between, after = chain[1:], []
    first = First("embargo-first", surfaces, before)
    last = Last("embargo-last", runtime.gate, surfaces.last, after)
    last.runtime = runtime
    # A new list: whoever walks the old one just now would meet an addon twice (measured: without end).
    master.addons.chain = [first, *between, last]
    return runtime
