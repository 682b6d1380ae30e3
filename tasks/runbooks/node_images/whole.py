"""A database and the nodes that are imaged with it."""

from __future__ import annotations

from typing import NamedTuple

from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.node_images.imaging import Imaging


class Whole(NamedTuple):
    """What is backed up with images.

    Attributes:
        backup: The database.
        imaging: The nodes.
    """

    backup: Backup
    imaging: Imaging
