"""DNS in every dress: its questions, where its answers lead, what they teach of addresses."""
