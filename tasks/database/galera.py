"""Galera: its nodes are started, and looked at until they are one cluster that clients reach."""

from __future__ import annotations

from pathlib import PurePosixPath

from blocks.remote.command import Command, command, question, script
from blocks.remote.errors import CommandTimedOut
from blocks.remote.shell import Shell
from tasks.database.cluster_address import BOOTSTRAP_ADDRESS
from tasks.database.mariadb import Server
from tasks.database.node_status import SYNCED, disagreements, read_node_status, read_status_once_synced
from tasks.engine.change import Change, Wait
from tasks.engine.results import Results
from tasks.node.podman import podman_exec, podman_exec_detached

_MARK_SAFE = '[ ! -e "$f" ] || sed -i "s/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/" "$f"'
# What the image's clustercheck prints (BR 4.4, steps 18 and 20.2).
_CLUSTERCHECK_SYNCED = "Galera cluster node is synced"


def start_node(server: Server, address: str, pid_file: str, within_s: float) -> Change:
    """Start MariaDB as a node of the cluster and wait until it is Synced.

    Args:
        server: Where.
        address: `BOOTSTRAP_ADDRESS` bootstraps a cluster, the full list joins it.
        pid_file: The resource agent's own, so that Pacemaker recognises the server as its child and adopts it.
        within_s: Seconds until it must be Synced; a join copies the whole database.
    """
    folder = str(PurePosixPath(pid_file).parent)
    # Found again after an interruption: until clients are let in, the first node's data is the dump's as any other's.
    mark_safe_to_bootstrap = (
        (script(f'f="$1/grastate.dat"; {_MARK_SAFE}', server.directory, quiet=True),)
        if address == BOOTSTRAP_ADDRESS
        else ()
    )
    return Change(
        (
            *mark_safe_to_bootstrap,
            command(*podman_exec(server.container, "install", "-d", "-o", "mysql", "-g", "mysql", folder)),
            command(
                *podman_exec_detached(server.container, "/usr/bin/mysqld_safe", f"--pid-file={pid_file}"),
                *(f"--socket={server.socket}", f"--datadir={server.directory}"),
                *("--log-error=/var/log/mysql/mysql_cluster.log", "--user=mysql", "--open-files-limit=16384"),
                f"--wsrep-cluster-address={address}",
            ),
        ),
        already=lambda shell: server.process(shell) == "running",
        until=Wait(
            "Galera",
            SYNCED,
            lambda shell: str(read_status_once_synced(shell, server)),
            within_s,
            "see /var/log/mysql/mysql_cluster.log in the container, on this node and on the donor",
        ),
    )


def run_clustercheck(server: Server, within_s: float = 60) -> Change:
    """Ask clustercheck, as documented, until it says that the node is synced."""
    return _until_synced(question(*podman_exec(server.container, "clustercheck"), ok=tuple(range(124))), within_s)


def _until_synced(clustercheck: Command, within_s: float) -> Change:
    return Change(
        (),
        until=Wait(
            f"`{clustercheck.shown}`",
            _CLUSTERCHECK_SYNCED,
            lambda shell: (
                _CLUSTERCHECK_SYNCED if _CLUSTERCHECK_SYNCED in shell.run(clustercheck).stdout else "not synced"
            ),
            within_s,
            "if Galera is Synced, clustercheck's own account is missing: it must be in the grants",
        ),
    )


def check_node(server: Server, nodes: int, formed: Results[str] | None = None) -> Change:
    """Look until the node is Synced in a cluster of all nodes.

    Args:
        server: The node's.
        nodes: How many the cluster has. Nodes that each see all of them are in one cluster; a second cluster would lack them.
        formed: The cluster that was formed, by node: a node that has joined another one since is not whole.
    """

    def look(shell: Shell) -> str:
        status = read_node_status(shell, server)
        uuid = formed.known(shell.name) if formed else None
        wrong = disagreements({shell.name: status}, nodes)
        if uuid not in (None, status.uuid):
            wrong.append(f"{shell.name}: in cluster {status.uuid}, and {uuid} was formed")
        return "; ".join(wrong) or "whole"

    subject = f"the cluster of {nodes} nodes" + (f" with the {formed.name} of before" if formed else "")
    return Change((), until=Wait(subject, "whole", look, 60, "see wsrep_cluster_size on each node"))


def run_clustercheck_container(container: str) -> Change:
    """Ask the clustercheck container, as the document's verification does and as haproxy does through it."""
    return _until_synced(question(*podman_exec(container, "/usr/bin/clustercheck"), ok=tuple(range(124))), 60)


_GREETING = 'exec 3<>"/dev/tcp/$1/$2" && head -c 5 <&3 | tail -c 1 | od -An -tu1'


def check_virtual_ip(vip: str, port: int) -> Change:
    """Look until a MariaDB greets at the virtual address (its protocol's version is 10)."""
    shown = f"[{vip}]" if ":" in vip else vip
    greeting = Command(
        ("bash", "-c", _GREETING, "bash", vip, str(port)), timeout_s=10, ok=tuple(range(124)), quiet=True
    )

    def look(shell: Shell) -> str:
        try:
            protocol = shell.run(greeting).text
        except CommandTimedOut:
            return "silent"
        return "greeted by MariaDB" if protocol == "10" else "refused or closed"

    return Change(
        (), until=Wait(f"{shown}:{port}", "greeted by MariaDB", look, 60, "see haproxy on the controller that holds it")
    )
