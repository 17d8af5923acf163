"""Past requests from foreign sources: one module each, which yield `Seen` and `Unread`."""
