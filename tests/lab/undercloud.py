"""The undercloud's own database and services, as its deployment leaves them. A change here makes the cached disks void."""

import hashlib
from pathlib import Path

from tests.lab.machines import Machines
from tests.lab.settings import HOSTS, IMAGE_MARIADB, UNDERCLOUD
from tests.lab.shell import wait_until

CONTAINER = "mysql"
UNITS = tuple(
    f"tripleo_{name}.service" for name in (CONTAINER, "keystone", "ironic_api", "ironic_conductor", "heat_engine")
)
TIMER = "tripleo_keystone_healthcheck.timer"
# It has no unit.
STRAY = "neutron-dnsmasq"
# Another one than the overcloud's.
ROOT_PASSWORD, KEYSTONE_PASSWORD = (
    hashlib.sha256(f"openstack-runbooks lab undercloud {name}".encode()).hexdigest()[:20]
    for name in ("root", "keystone")
)
_SQL = Path(__file__).resolve().parent / "sql" / "undercloud.sql"


def install(machines: Machines) -> None:
    """Makes database and services on an undercloud that has none."""
    machines.script(
        UNDERCLOUD,
        "undercloud.sh",
        address=HOSTS[UNDERCLOUD].address,
        root_password=ROOT_PASSWORD,
        keystone_password=KEYSTONE_PASSWORD,
        image=IMAGE_MARIADB,
        sql=_SQL.read_text(),
    )


def stop(machines: Machines) -> None:
    """Stops them cleanly, so that the cached disks hold a database that was shut down."""
    machines.exec(UNDERCLOUD, "systemctl stop 'tripleo_*'")


def sql(machines: Machines, statement: str) -> str:
    """Runs SQL as root in the undercloud's database; columns are parted by tabs."""
    client = ["podman", "exec", "-i", CONTAINER, "mysql", "--defaults-extra-file=/root/.my.cnf", "--batch"]
    return machines.exec(UNDERCLOUD, [*client, "--skip-column-names"], input=statement).stdout


def missing(machines: Machines) -> str:
    """Returns the first thing that does not run on the undercloud, or an empty string."""
    state = f"systemctl is-active {' '.join((*UNITS, TIMER))} || :; podman ps --format '{{{{.Names}}}}'"
    *states, names = machines.exec(UNDERCLOUD, f"{state} | tr '\\n' ' '").stdout.splitlines()
    for unit, seen in zip((*UNITS, TIMER), states, strict=True):
        if seen != "active":
            return f"{unit} is {seen}"
    if STRAY not in names.split():
        return f"container {STRAY} does not run"
    ping = [
        "podman",
        "exec",
        CONTAINER,
        "mysqladmin",
        "--socket=/var/lib/mysql/mysql.sock",
        "--connect-timeout=5",
        "ping",
    ]
    return "" if machines.exec(UNDERCLOUD, ping, check=False).returncode == 0 else "its database does not answer"


def wait_running(machines: Machines, timeout: float = 120) -> None:
    """Waits until all of it runs."""
    wait_until("the undercloud's services did not run", lambda: missing(machines), timeout)
