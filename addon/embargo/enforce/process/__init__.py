"""The life of a process: started, sharing a port, asked how it is, drained, ended."""
