"""CONNECT, and each HTTP request inside of it."""
