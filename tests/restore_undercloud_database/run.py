"""Run restore-undercloud-database in this process, and kill the process on its way, if asked: see `tests.restore_galera.run`."""

from __future__ import annotations

import sys

from flows.restore_undercloud_database import restore_undercloud_database
from tests.restore_galera.run import main

if __name__ == "__main__":
    sys.exit(main(restore_undercloud_database))
