"""Test-only addon: what waits for a client's bytes waits for a second and a half."""

from embargo.enforce.tls import first_bytes

first_bytes.LONGEST_WAIT = 1.5
addons: list[object] = []
