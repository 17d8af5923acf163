"""What is neither TLS nor HTTP: raw TCP, and the names in its bytes."""
