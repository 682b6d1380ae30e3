"""Galera: forming the cluster, and what its nodes say of themselves."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from blocks.remote.command import Command, command, question, script
from blocks.remote.errors import CommandTimedOut, HostError
from blocks.remote.shell import Shell
from tasks.database.mariadb import Server
from tasks.engine.change import Change, Wait
from tasks.engine.results import Results
from tasks.node.podman import cat, podman_exec, podman_exec_detached

_STATUS = (
    "SHOW STATUS WHERE Variable_name IN ('wsrep_local_state_comment', 'wsrep_cluster_status', 'wsrep_cluster_size',"
    " 'wsrep_cluster_state_uuid', 'wsrep_ready')"
)
BOOTSTRAP_ADDRESS = "gcomm://"
_SAFE = '[ ! -e "$f" ] || sed -i "s/^safe_to_bootstrap: 0/safe_to_bootstrap: 1/" "$f"'
_SYNCED = "Synced in a Primary component"
_SYNCED_ROWS = ("wsrep_local_state_comment\tSynced", "wsrep_cluster_status\tPrimary")
# So long one look at a node waits within its container.
_LOOK_S = 20
# What the image's clustercheck prints (BR 4.4, steps 18 and 20.2).
_CLUSTERCHECK_SYNCED = "Galera cluster node is synced"


@dataclass(frozen=True)
class NodeStatus:
    """What a node says of itself.

    Attributes:
        state: `wsrep_local_state_comment`: Synced, Joining, Donor/Desynced, Initialized…
        status: `wsrep_cluster_status`: Primary, non-Primary, Disconnected.
        size: `wsrep_cluster_size`.
        uuid: `wsrep_cluster_state_uuid`.
    """

    state: str
    status: str
    size: int
    uuid: str

    def __str__(self) -> str:
        return _SYNCED if self.synced else f"{self.state or 'no answer'}, {self.status or 'no status'}"

    @property
    def synced(self) -> bool:
        """Whether it takes part and is up to date."""
        return self.state == "Synced" and self.status == "Primary"


def parse_node_status(text: str) -> NodeStatus:
    """Read the rows of `SHOW STATUS`."""
    seen = dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
    size = seen.get("wsrep_cluster_size", "0")
    return NodeStatus(
        state=seen.get("wsrep_local_state_comment", ""),
        status=seen.get("wsrep_cluster_status", ""),
        size=int(size) if size.isdigit() else 0,
        uuid=seen.get("wsrep_cluster_state_uuid", ""),
    )


def read_node_status(shell: Shell, server: Server) -> NodeStatus:
    """Ask the node; one that does not answer has a status without a state."""
    return _read(shell, server.statement(_STATUS, timeout_s=20))


def _read(shell: Shell, ask: Command) -> NodeStatus:
    answer = shell.run(replace(ask, ok=tuple(range(124))))
    return parse_node_status(answer.stdout if answer.exit_code == 0 else "")


def parse_cluster_address(host: str, text: str) -> str:
    """Find `wsrep_cluster_address` in an option file, as MariaDB reads it: the last one counts, `#` begins a comment.

    Raises:
        HostError: It is missing, or is no list of nodes.
    """
    address, in_section = "", False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            in_section = True
        name, _, value = line.partition("=")
        if in_section and name.strip().replace("-", "_").removeprefix("loose_") == "wsrep_cluster_address":
            address = _unquoted(_without_comment(value).strip())
    if not address.removeprefix(BOOTSTRAP_ADDRESS).strip():
        raise HostError(
            host, "Galera's option file names no cluster address", "see database.galera_options in the site file"
        )
    if not address.startswith(BOOTSTRAP_ADDRESS) or not all(_is_node(node) for node in cluster_nodes(address)):
        raise HostError(
            host,
            f"Galera's option file has {address!r} for wsrep_cluster_address, which is no list of nodes",
            "it must be gcomm:// and the nodes' names or addresses, separated by commas; correct it in the configuration "
            "of the deployment",
        )
    return address


def _without_comment(value: str) -> str:
    """Cut what MariaDB takes for a comment: `#` and what follows it, unless it stands in quotes."""
    quote = ""
    for place, letter in enumerate(value):
        if letter in "'\"" and quote in ("", letter):
            quote = "" if quote else letter
        elif letter == "#" and not quote:
            return value[:place]
    return value


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1].strip() if quoted else value


_PORT = re.compile(r":\d+$")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9.])?")


def cluster_nodes(address: str) -> tuple[str, ...]:
    """The nodes of a cluster address, without ports and without the options after `?`: names, or IP addresses."""
    listed = address.removeprefix(BOOTSTRAP_ADDRESS).partition("?")[0].split(",")
    return tuple(_without_port(node.strip()) for node in listed if node.strip())


def _without_port(node: str) -> str:
    if node.startswith("["):
        return node[1:].partition("]")[0]
    return _PORT.sub("", node) if node.count(":") == 1 else node


def _is_node(node: str) -> bool:
    try:
        ipaddress.ip_address(node)
    except ValueError:
        return _NAME.fullmatch(node) is not None
    return True


def read_options(container: str, path: str) -> Command:
    """The documented look at an option file of the container (BR 4.4, step 19)."""
    return cat(container, path)


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
        (script(f'f="$1/grastate.dat"; {_SAFE}', server.directory, quiet=True),) if address == BOOTSTRAP_ADDRESS else ()
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
            _SYNCED,
            lambda shell: str(_read(shell, server.statement_until(_STATUS, _SYNCED_ROWS, _LOOK_S))),
            within_s,
            "see /var/log/mysql/mysql_cluster.log in the container, on this node and on the donor",
        ),
    )


def run_clustercheck(server: Server, within_s: float = 60) -> Change:
    """Ask clustercheck, as documented, until it says that the node is synced."""
    return _until_synced(question(*podman_exec(server.container, "clustercheck"), ok=tuple(range(124))), within_s)


def _until_synced(ask: Command, within_s: float) -> Change:
    return Change(
        (),
        until=Wait(
            f"`{ask.shown}`",
            _CLUSTERCHECK_SYNCED,
            lambda shell: _CLUSTERCHECK_SYNCED if _CLUSTERCHECK_SYNCED in shell.run(ask).stdout else "not synced",
            within_s,
            "if Galera is Synced, clustercheck's own account is missing: it must be in the grants",
        ),
    )


def disagreements(members: dict[str, NodeStatus], expected: int) -> list[str]:
    """What keeps these members from being one healthy cluster; empty where they are.

    Args:
        members: Host → what it says.
        expected: How many nodes the cluster has.
    """
    wrong = [f"{host}: {member}" for host, member in members.items() if not member.synced]
    wrong += [
        f"{host}: wsrep_cluster_size is {member.size}, not {expected}"
        for host, member in members.items()
        if member.synced and member.size != expected
    ]
    uuids = {member.uuid for member in members.values() if member.synced}
    if len(uuids) > 1:
        wrong.append(f"the nodes are in different clusters: {', '.join(sorted(uuids))}")
    return wrong


def cluster_uuids(servers: Mapping[str, Server]) -> Results[str]:
    """What each node calls its cluster, as a step's results: the same must be seen again at the end.

    Args:
        servers: Host → its MariaDB.
    """
    return Results("cluster UUID", str, lambda shell: read_node_status(shell, servers[shell.name]).uuid)


def check_node(server: Server, nodes: int, formed: Results[str] | None = None) -> Change:
    """Look until the node is Synced in a cluster of all nodes.

    Args:
        server: The node's.
        nodes: How many the cluster has. Nodes that each see all of them are in one cluster; a second cluster would lack them.
        formed: The cluster that was formed, by node: a node that has joined another one since is not whole.
    """

    def look(shell: Shell) -> str:
        member = read_node_status(shell, server)
        uuid = formed.known(shell.name) if formed else None
        wrong = disagreements({shell.name: member}, nodes)
        wrong += (
            [f"{shell.name}: in cluster {member.uuid}, and {uuid} was formed"]
            if uuid not in (None, member.uuid)
            else []
        )
        return "; ".join(wrong) or "whole"

    subject = f"the cluster of {nodes} nodes" + (f" with the {formed.name} of before" if formed else "")
    return Change((), until=Wait(subject, "whole", look, 60, "see wsrep_cluster_size on each node"))


def run_clustercheck_container(check: str) -> Change:
    """Ask the clustercheck container, as the document's verification does and as haproxy does through it."""
    return _until_synced(question(*podman_exec(check, "/usr/bin/clustercheck"), ok=tuple(range(124))), 60)


_GREETING = 'exec 3<>"/dev/tcp/$1/$2" && head -c 5 <&3 | tail -c 1 | od -An -tu1'


def check_virtual_ip(vip: str, port: int) -> Change:
    """Look until a MariaDB greets at the virtual address (its protocol's version is 10)."""
    shown = f"[{vip}]" if ":" in vip else vip
    ask = Command(("bash", "-c", _GREETING, "bash", vip, str(port)), timeout_s=10, ok=tuple(range(124)), quiet=True)

    def look(shell: Shell) -> str:
        try:
            protocol = shell.run(ask).text
        except CommandTimedOut:
            return "silent"
        return "greeted by MariaDB" if protocol == "10" else "refused or closed"

    return Change(
        (), until=Wait(f"{shown}:{port}", "greeted by MariaDB", look, 60, "see haproxy on the controller that holds it")
    )
