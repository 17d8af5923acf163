"""Decisions on disk: the record, its writer, and its readers."""
