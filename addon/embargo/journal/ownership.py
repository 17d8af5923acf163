"""Whose the files of a log are: what root's commands make is the owner's of the log, whose proxy has to read it."""

import os
import stat
from pathlib import Path


def hand_over(descriptor: int, directory: Path) -> None:
    """Give the open file to the owner of *directory*, where we are root and it is not his. Raises OSError.

    Not a file that has a second name: whoever owns the directory may have put it there to be given what is root's.
    """
    if os.geteuid() != 0:
        return
    ours, owner = os.fstat(descriptor), directory.stat()
    named_once = stat.S_ISDIR(ours.st_mode) or ours.st_nlink == 1
    if named_once and (ours.st_uid, ours.st_gid) != (owner.st_uid, owner.st_gid):
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
