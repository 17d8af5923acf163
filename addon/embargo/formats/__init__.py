"""A record in the languages of others: pure functions of it, one module a format (`catalogue.FORMATS`)."""
