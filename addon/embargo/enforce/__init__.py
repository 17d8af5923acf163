"""mitmproxy to core to answer: the gate and one module for each family of surfaces."""
