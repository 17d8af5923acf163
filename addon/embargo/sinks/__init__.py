"""Records out to others: each receiver has its own place in the log files, which are the spool (`courier`)."""
