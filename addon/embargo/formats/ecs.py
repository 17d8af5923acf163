"""ECS 8, one JSON object a line: the record as it is, seal included (DESIGN 7; docs/reference/log-fields.md).

What was sent can so be compared with what was sealed: for a line of ours this gives that line again, byte for byte.
"""

from embargo.formats.members import encoded
from embargo.journal.record import Record


def write(record: Record) -> str:
    """The record in printable ASCII, without line feed."""
    return encoded(record.document)
