"""`make bench`: every figure beside its peer, in one run."""
