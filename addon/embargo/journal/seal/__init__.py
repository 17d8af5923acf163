"""The seal of the log (DESIGN 7): the hash chain, its signed checkpoints, the key, and their verification."""
