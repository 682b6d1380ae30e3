"""A bundle: what Pacemaker and the CIB say of it and of the database in it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from blocks.remote.command import question
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell

# Pacemaker 2.1 says Promoted where 1.1 and 2.0 said Master.
_PROMOTED = {"Promoted", "Master"}
# The agent's own default, and the path that the document starts MariaDB with (BR 4.4, steps 17 and 20).
_AGENT_PID = "/var/run/mysql/mysqld.pid"


@dataclass(frozen=True)
class Bundle:
    """A bundle as `crm_mon` sees it.

    Attributes:
        name: The resource's name.
        promoted: How many replicas are promoted, seen through a connection that stands: while Pacemaker connects to a
            container that was restarted behind its back, it shows what it knew of the one before.
        replicas: How many there are.
        blocked: Replicas that Pacemaker has given up on.
        connected: Replicas whose container Pacemaker can speak with.
        running: Names of the containers that Pacemaker believes to run.
    """

    name: str
    promoted: int
    replicas: int
    blocked: int
    connected: int
    running: frozenset[str]


def parse_bundle(host: str, xml: str, name: str) -> Bundle:
    """Find a bundle in the output of `crm_mon --as-xml` (Pacemaker 1.1 to 2.1).

    Raises:
        HostError: It is not there, or the text is no XML.
    """
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - Pacemaker's own, over pinned SSH
    except ElementTree.ParseError as error:
        raise HostError(host, f"crm_mon wrote no XML: {error}", "is Pacemaker running? `pcs status`") from error
    for bundle in root.iter("bundle"):
        if bundle.get("id") == name:
            replicas = [_parse_replica(replica) for replica in bundle.iter("replica")]
            return Bundle(
                name=name,
                promoted=sum(replica.promoted and replica.connected for replica in replicas),
                replicas=len(replicas),
                blocked=sum(replica.blocked for replica in replicas),
                connected=sum(replica.connected for replica in replicas),
                running=frozenset(replica.container for replica in replicas if replica.running),
            )
    known = sorted(bundle.get("id", "?") for bundle in root.iter("bundle"))
    raise HostError(
        host,
        f"Pacemaker has no bundle {name!r}; its bundles are {', '.join(known) or 'none'}",
        "set database.resource in the site file",
    )


@dataclass(frozen=True)
class _Replica:
    container: str
    running: bool
    promoted: bool
    blocked: bool
    connected: bool


def _parse_replica(replica: ElementTree.Element) -> _Replica:
    resources = list(replica.iter("resource"))

    def run_by(*agents: str) -> list[ElementTree.Element]:
        return [resource for resource in resources if resource.get("resource_agent", "").endswith(agents)]

    databases, remotes, containers = run_by(":galera"), run_by(":remote"), run_by(":podman", ":docker")
    return _Replica(
        container=next((container.get("id", "") for container in containers), ""),
        running=any(_started(container) for container in containers),
        promoted=any(database.get("role") in _PROMOTED and database.get("failed") != "true" for database in databases),
        blocked=any(database.get("blocked") == "true" for database in databases),
        connected=any(_started(remote) for remote in remotes),
    )


def _started(resource: ElementTree.Element) -> bool:
    return resource.get("role") == "Started" and resource.get("failed") != "true"


def read_bundle(shell: Shell, name: str) -> Bundle:
    """Ask Pacemaker for a bundle.

    Raises:
        HostError: Pacemaker does not run, or has no such bundle.
    """
    return parse_bundle(shell.name, read_status(shell), name)


def read_status(shell: Shell) -> str:
    """Ask Pacemaker for its status, as XML.

    Raises:
        HostError: Pacemaker does not run.
    """
    answer = shell.run(question("crm_mon", "--as-xml", ok=tuple(range(256))))
    if answer.exit_code != 0:
        raise HostError(
            shell.name,
            f"Pacemaker does not answer (crm_mon: exit code {answer.exit_code})",
            "start the cluster first: `pcs cluster start --all`",
        )
    return answer.stdout


def parse_galera_pid(xml: str) -> str:
    """Find the pid file that the Galera resource is configured with; the agent's default where none is set."""
    if not xml.strip():
        return _AGENT_PID
    for pair in ElementTree.fromstring(xml).iter("nvpair"):  # noqa: S314 - Pacemaker's own, over pinned SSH
        if pair.get("name") == "pid" and pair.get("value"):
            return str(pair.get("value"))
    return _AGENT_PID


def read_galera_pid(shell: Shell) -> str:
    """Read the resource's pid file from the CIB."""
    ask = question("cibadmin", "--query", "--xpath", "//primitive[@type='galera']/instance_attributes", ok=(0, 105))
    return parse_galera_pid(shell.run(ask).stdout)


MANAGED, UNMANAGED, ALL_PROMOTED = "managed", "unmanaged", "all Promoted"
HEALTHY = f"{MANAGED} and {ALL_PROMOTED}"


def parse_managed_state(xml: str) -> str:
    """`managed` or `unmanaged`: whether Pacemaker may act on a bundle and on what runs in it, by the bundle's part of the CIB.

    `crm_mon` can't tell: a replica that Pacemaker has given up on (on-fail=block) is "unmanaged" there, too.
    """
    pairs = ElementTree.fromstring(xml).iter("nvpair")  # noqa: S314 - Pacemaker's own, over pinned SSH
    unmanaged = any(pair.get("name") == "is-managed" and pair.get("value") == "false" for pair in pairs)
    return UNMANAGED if unmanaged else MANAGED


def parse_target_role(xml: str) -> str:
    """The target-role that is set for a bundle or for its database (`pcs resource disable` sets Stopped); empty for none."""
    pairs = ElementTree.fromstring(xml).iter("nvpair")  # noqa: S314 - Pacemaker's own, over pinned SSH
    return next((pair.get("value", "") for pair in pairs if pair.get("name") == "target-role"), "")


def read_configuration(shell: Shell, name: str) -> str:
    """Ask for a bundle's part of the CIB, as XML."""
    return shell.run(question("cibadmin", "--query", "--xpath", f"//bundle[@id='{name}']")).stdout


def managed_state(shell: Shell, name: str) -> str:
    """`managed` or `unmanaged`, as the CIB says it."""
    return parse_managed_state(read_configuration(shell, name))


def promotion(bundle: Bundle) -> str:
    """`all Promoted`, or how many are."""
    return ALL_PROMOTED if bundle.promoted == bundle.replicas else f"{bundle.promoted} of {bundle.replicas} Promoted"


def health(shell: Shell, name: str) -> str:
    """`managed and all Promoted`, or what there is of it."""
    return f"{managed_state(shell, name)} and {promotion(read_bundle(shell, name))}"
