"""What is saved on a node, so that its image holds it: Ceph's authentication, OVN's databases, Pacemaker's configuration.

Each file appears whole, and for root alone: some of them hold keys.
"""

from __future__ import annotations

from collections.abc import Iterable

from blocks.remote.command import script
from tasks.engine.change import Change

DIRECTORY = "/var/lib/openstack-runbooks/saved"
CEPH, PACEMAKER = "ceph-auth", "pacemaker-config.tar.bz2"
# OVN's databases: the file, its schema, its socket. Until OVN had a directory of its own, sockets were Open vSwitch's.
OVN = (
    ("ovn-northbound.db", "OVN_Northbound", "ovnnb_db.sock"),
    ("ovn-southbound.db", "OVN_Southbound", "ovnsb_db.sock"),
)

# Its own words come last. One that writes nothing has failed, whatever its exit code.
_SAVE = """
umask 077
install -d -m 700 "${1%/*}"
save() { file=$1; shift; "$@" >"$file.new"; }
save "$@"
[ -s "$1.new" ] || { echo "nothing was written" >&2; exit 1; }
sync "$1.new"
mv -fT -- "$1.new" "$1"
"""
_OVN_BACKUP = """
for directory in /run/ovn /var/run/ovn /run/openvswitch /var/run/openvswitch; do
  [ ! -S "$directory/$2" ] || exec ovsdb-client backup "unix:$directory/$2" "$1"
done
echo "there is no socket $2" >&2
exit 1
"""


def _save(name: str, *words: str, within_s: float, says: str) -> Change:
    return Change((script(_SAVE, f"{DIRECTORY}/{name}", *words, timeout_s=within_s, quiet=True, says=says),))


def save_ceph_auth(container: str, within_s: float = 120) -> Change:
    """Save the keys and capabilities of Ceph's clients and daemons.

    Args:
        container: The node's monitor.
        within_s: Seconds for it: without a quorum of the monitors there is no answer.
    """
    return _save(
        CEPH, "podman", "exec", container, "ceph", "auth", "export", within_s=within_s, says="export Ceph's keys"
    )


def save_ovn(container: str, within_s: float = 600) -> Change:
    """Save OVN's northbound and southbound databases.

    Args:
        container: The node's container of OVN's database servers.
        within_s: Seconds for each.
    """
    changes = [
        _save(file, *_in(container, schema, socket), within_s=within_s, says=f"back up {schema}")
        for file, schema, socket in OVN
    ]
    return Change(tuple(action for change in changes for action in change.commands))


def _in(container: str, schema: str, socket: str) -> tuple[str, ...]:
    return ("podman", "exec", container, "bash", "-c", _OVN_BACKUP, "ovn", schema, socket)


def save_pacemaker(within_s: float = 120) -> Change:
    """Save Pacemaker's configuration.

    To standard output: into a file of its own, pcs refuses to overwrite the one of the day before.
    """
    return _save(PACEMAKER, "pcs", "config", "backup", within_s=within_s, says="back up Pacemaker's configuration")


def ceph_monitor(containers: Iterable[str]) -> str:
    """The container of the node's Ceph monitor; empty where it has none."""
    return next((name for name in containers if name.startswith("ceph-") and "mon-" in name), "")


def ovn_databases(containers: Iterable[str]) -> str:
    """The container of OVN's database servers; empty where there is none."""
    return next(
        (name for name in containers if name.startswith(("ovn-dbs-bundle", "ovn_north_db", "ovn_cluster_north"))), ""
    )
