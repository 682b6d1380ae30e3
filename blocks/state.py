"""Where this machine keeps what must outlive a process."""

import os
from pathlib import Path


def state_directory() -> Path:
    """Return `${XDG_STATE_HOME:-~/.local/state}/openstack-runbooks`; it need not be there yet."""
    base = os.environ.get("XDG_STATE_HOME")
    # The XDG specification has relative paths ignored.
    home = Path(base) if base and Path(base).is_absolute() else Path.home() / ".local" / "state"
    return home / "openstack-runbooks"
