"""The web console: a process of its own, in which auditors and admins see what was decided and why (DESIGN 3)."""
