"""embargo: enforce app bans on a mitmproxy corporate proxy, and keep the proof."""

__version__ = "0.1.0"
