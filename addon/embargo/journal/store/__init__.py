"""The store: an index of the decision log in a database, filled from the files and rebuilt from them at any time.

`Store` is its face; `rows` has what it answers with. The files are the truth, and records are read back from them.
"""

from embargo.journal.store.dimensions import Dimension
from embargo.journal.store.ingest import Caught
from embargo.journal.store.migrations import UnknownVersion
from embargo.journal.store.place import Busy, NoPlace
from embargo.journal.store.reading import Gone
from embargo.journal.store.rows import Cell, Device, Heartbeat, Key, Page, Row, StoreStatus, Top, of_class
from embargo.journal.store.store import Store

__all__ = [
    "Busy",
    "Caught",
    "Cell",
    "Device",
    "Dimension",
    "Gone",
    "Heartbeat",
    "Key",
    "NoPlace",
    "Page",
    "Row",
    "Store",
    "StoreStatus",
    "Top",
    "UnknownVersion",
    "of_class",
]
