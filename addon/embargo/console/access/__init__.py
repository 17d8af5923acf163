"""Who may use the console, and for what: accounts, sign-in, sessions, rights, tokens, and the record of all that."""
