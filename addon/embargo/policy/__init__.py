"""Policy files: from text to a `Policy`, or to every problem found in them."""
