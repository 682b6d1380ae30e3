"""Taking a node of Galera out of flow control while it is dumped, and back in.

A node that hashes and dumps everything falls behind, and a read lock stops it altogether: flow control would then stop the
cluster. With `wsrep_desync` the others go on, and it catches up afterwards. In place of what the role's `db_backup.yml` does
(BR 2.5, 3.5): there the node stays desynced when the dump fails, and goes back with a full receive queue, at which flow
control sets in after all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from blocks.remote.command import Command
from blocks.remote.shell import Shell
from tasks.database.mariadb import Server
from tasks.database.node_status import NodeStatus, parse_node_status
from tasks.engine.change import Change, Wait

_DESYNCED, _SYNCED = "desynced", "synced"
# Clients that come over the network are haproxy's: root, clustercheck and MariaDB's own threads are local.
_ASK = """
SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_local_state_comment', 'wsrep_cluster_status', 'wsrep_cluster_size',
  'wsrep_cluster_state_uuid', 'wsrep_local_recv_queue');
SELECT 'wsrep_desync', @@GLOBAL.wsrep_desync;
SELECT 'clients', COUNT(*) FROM information_schema.processlist WHERE host LIKE '%:%' AND user <> 'system user';
"""

# Where no server runs, none is desynced: it starts in sync. A queue that does not drain in $4 seconds leaves the node as it is, for
# this to be run again: it is behind, and of no harm to anybody.
_RESYNC = """
set -o errexit -o pipefail
status=$(podman inspect --type=container --format '{{.State.Status}}' "$1" 2>/dev/null) || status=gone
case $status in running | paused) ;; *) exit 0 ;; esac
exec podman exec "$1" bash -c '
  set -o errexit -o pipefail
  grep -qxE "mysqld|mariadbd" /proc/[0-9]*/comm 2>/dev/null || exit 0
  ask() { mysql "--defaults-extra-file=$1" "--socket=$2" -uroot --batch --skip-column-names --connect-timeout=20 "--execute=$4"; }
  desynced=$(ask "$@" "SELECT @@GLOBAL.wsrep_desync")
  [ "$desynced" = 1 ] || exit 0
  end=$((SECONDS + $3))
  until queue=$(ask "$@" "SHOW GLOBAL STATUS LIKE \\"wsrep_local_recv_queue\\"") && [ "${queue##*[!0-9]}" = 0 ]; do
    [ "$SECONDS" -lt "$end" ] || { echo "the receive queue has not drained within $3 s: $queue" >&2; exit 1; }
    sleep 0.5
  done
  ask "$@" "SET GLOBAL wsrep_desync = OFF"
' resync "$2" "$3" "$4"
"""


@dataclass(frozen=True)
class Candidate:
    """What a node says that may be dumped.

    Attributes:
        node: What it says of itself as a node.
        desynced: Whether `wsrep_desync` is on, whoever has set it.
        queue: Write sets that it has received and not applied yet.
        clients: Connections over the network: the node to which the VIP leads has them.
    """

    node: NodeStatus
    desynced: bool
    queue: int
    clients: int


def parse_candidate(text: str) -> Candidate:
    """Read a node's answer; one that did not answer has a state of nothing."""
    seen = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)

    def number(name: str) -> int:
        return int(seen.get(name) or 0)

    desynced = seen.get("wsrep_desync", "0") in {"1", "ON"}
    return Candidate(parse_node_status(text), desynced, number("wsrep_local_recv_queue"), number("clients"))


def read_candidate(shell: Shell, server: Server) -> Candidate:
    """Ask a node."""
    ask = replace(server.statement(_ASK, timeout_s=20), ok=tuple(range(124)))
    answer = shell.run(ask)
    return parse_candidate(answer.stdout if answer.exit_code == 0 else "")


def pick_node(candidates: Mapping[str, Candidate]) -> str | None:
    """The node to dump: synced, nobody's donor, and of these the one with the fewest clients; None where there is none.

    Args:
        candidates: Host → what its node says.
    """
    fit = {host: one for host, one in candidates.items() if one.node.synced and not one.desynced}
    return min(fit, key=lambda host: (fit[host].clients, fit[host].queue, host), default=None)


def why_none(candidates: Mapping[str, Candidate]) -> list[str]:
    """Why no node can be dumped, one line a node."""
    return [
        f"{host}: {'wsrep_desync is on; see who has set it' if one.desynced else one.node}"
        for host, one in sorted(candidates.items())
        if one.desynced or not one.node.synced
    ]


def _state(shell: Shell, server: Server) -> str:
    seen = read_candidate(shell, server)
    return _DESYNCED if seen.desynced else _SYNCED if seen.node.synced else str(seen.node)


def desync(server: Server) -> Change:
    """Let the cluster go on without waiting for this node. What sets it back is announced before (`resync_words`)."""
    return Change(
        (replace(server.statement("SET GLOBAL wsrep_desync = ON;"), changes=True),),
        already=lambda shell: read_candidate(shell, server).desynced,
        until=Wait(f"MariaDB in {server.container}", _DESYNCED, lambda shell: _state(shell, server), 60, "see its log"),
    )


def resync_words(server: Server, within_s: int) -> tuple[str, ...]:
    """The words that set a node back once its receive queue has drained: for the runbook's cleanup and the host's own timer.

    They bear being run twice, where the node is in sync, and where nothing runs.

    Args:
        server: The node's.
        within_s: Seconds for which it waits until the queue has drained.
    """
    return ("bash", "-c", _RESYNC, "resync", server.container, server.client_options, server.socket, str(within_s))


def resync(server: Server, within_s: int) -> Change:
    """Set a node back once its receive queue has drained, and wait until it is Synced.

    Args:
        server: The node's.
        within_s: Seconds until the queue must have drained.
    """
    return Change(
        (Command(resync_words(server, within_s), timeout_s=within_s + 30, quiet=True),),
        already=lambda shell: _state(shell, server) == _SYNCED,
        until=Wait(
            f"MariaDB in {server.container}",
            _SYNCED,
            lambda shell: _state(shell, server),
            60,
            "see wsrep_local_state_comment, and wsrep_desync, which must be OFF",
        ),
    )
