"""The questions of admin and auditor. Functions return values and print nothing."""
