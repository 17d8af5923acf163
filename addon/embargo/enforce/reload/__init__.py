"""A policy that changes: followed, compiled, taken up, and what is open judged again."""
