"""UDP: QUIC, DTLS, and what is neither."""
