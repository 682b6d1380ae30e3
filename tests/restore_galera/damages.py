"""What may have happened to a cluster before somebody restores it."""

from __future__ import annotations

from collections.abc import Callable

from tests.lab import Lab

Damage = Callable[[Lab], None]
# mysqld_safe first, or it starts the server again.
KILL = "pkill -9 -x 'mysqld_safe|mariadbd-safe'; pkill -9 -x 'mysqld|mariadbd'"


def all_databases_stopped(lab: Lab) -> None:
    """Shut every database down, as an operator does: Pacemaker is told not to interfere."""
    lab.exec("controller-0", "pcs resource unmanage galera-bundle")
    for host in lab.controllers:
        lab.exec(host, "podman exec $(podman ps -q --filter name=galera-bundle) mysqladmin shutdown")


def all_databases_killed(lab: Lab) -> None:
    """Kill every database a moment before: Pacemaker is just about to see it, and to bring the cluster back."""
    for host in lab.controllers:
        lab.exec(host, f"{KILL}; true")


def containers_stopped(lab: Lab) -> None:
    """Stop every container, with Pacemaker told not to interfere: as a restore by hand leaves it after step 5."""
    lab.exec("controller-0", "pcs resource unmanage galera-bundle")
    for host in lab.controllers:
        lab.exec(host, "podman stop --time 1 $(podman ps -q --filter name=galera-bundle)")


def grastate_gone_on_one(lab: Lab) -> None:
    """Remove what Galera remembers its cluster by, on one node that goes on."""
    lab.exec("controller-1", "rm /var/lib/mysql/grastate.dat")


def grastate_gone_on_all(lab: Lab) -> None:
    """The same on all, stopped."""
    all_databases_stopped(lab)
    for host in lab.controllers:
        lab.exec(host, "rm /var/lib/mysql/grastate.dat")


def data_of_one_wiped(lab: Lab) -> None:
    """Kill one database and empty its directory."""
    lab.exec("controller-2", f"{KILL}; find /var/lib/mysql -mindepth 1 -delete")


def one_lost_power(lab: Lab) -> None:
    """Cut the power of one controller, and switch it on again."""
    lab.kill("controller-1")
    lab.start("controller-1")
