"""Asking a running proxy for what its policy blocks, so that a leak would be noticed; needs no mitmproxy."""
