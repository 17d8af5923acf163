"""What Prometheus reads: the facts of `embargo status`, as counters and gauges."""
