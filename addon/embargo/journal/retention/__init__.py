"""How long the log is kept: what is deleted leaves a signed tombstone, and what is on hold stays."""
