"""The pure part: values in, a value out. No file, no socket, no clock, no mitmproxy."""
