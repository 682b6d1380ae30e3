"""The undercloud's own database after the restore: started by its unit, and root logged in."""

from __future__ import annotations

from blocks.database import UndercloudDatabase
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait
from tasks.node.tripleo_services import start_container, unit_of
from tasks.runbooks.restore_undercloud_database.job import service_server

_LOGGED_IN = "logged in"


def start_database(database: UndercloudDatabase, within_s: float) -> Change:
    """Start the service's container, and log in as root with the password of its option file, which is the site's.

    Args:
        database: The site's settings.
        within_s: Seconds until it must let root in.
    """
    server = service_server(database)

    def look(shell: Shell) -> str:
        if server.process(shell) != "running":
            return "no server"
        return _LOGGED_IN if server.root_can_log_in(shell, database.client_options) else "not let in"

    hint = f"see `systemctl status {unit_of(database.container)}` and `podman logs {database.container}`"
    return Change(
        (start_container(database.container, within_s),),
        until=Wait(f"root at {database.container}", _LOGGED_IN, look, within_s, hint),
    )
