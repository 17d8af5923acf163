"""TLS: what protocol a connection speaks, who it is for, whether it is opened, and with which certificate."""
