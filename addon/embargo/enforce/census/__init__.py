"""The census: counts the hosts that pass, without a client, so that an edit can be tried on innocent traffic too."""
