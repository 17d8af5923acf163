"""Who asks: the client behind a balancer, the user behind a login, a front proxy or a map."""
