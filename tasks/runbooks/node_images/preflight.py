"""What must be so before nodes are paused: every node up, whole and prepared, nobody else at work, and room on the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blocks.database import GaleraDatabase
from blocks.remote.shell import Shell
from tasks.backup.store import Store
from tasks.engine.checks import Check
from tasks.engine.cleanup import read_armed
from tasks.engine.run import Run
from tasks.node.config_drive import find_config_drive
from tasks.node.pacemaker_cluster import Cluster, addresses_of, read_cluster
from tasks.node.running import ACTIVE, PAUSED, STOPPING, read_running
from tasks.node.saved import ceph_monitor, ovn_databases
from tasks.rear.images import Known, find_folder, images_root, list_images, read_used_bytes
from tasks.rear.schedules import OWN_JOB, has_own_job
from tasks.runbooks.node_images.imaging import ImageRequest, Imaging, NodeFacts
from tasks.runbooks.node_images.operation import look_at_operation

_ROLE, _NODE, _RUNS, _CLUSTER = "role", "node", "what runs there", "cluster"
_ARCHIVE, _ROOM = "archive", "room for images on the store"
# A partition of this label is Ironic's on any node it has deployed; the document saves the Controllers' alone.
_CONTROLLER = "Controller"
# A quarter more than the latest image.
_MORE = 1.25
# How many nodes a cluster needs so that one can leave: of Pacemaker's, for a majority; of Galera's, for one that serves.
_QUORATE, _SERVING = 3, 2


def look(run: Run, request: ImageRequest, store: Store, database: GaleraDatabase | None) -> Imaging:
    """Look at every node and at the store. What speaks against beginning is added to the run's checks.

    Args:
        run: The run.
        request: What the operator asks for.
        store: The site's store.
        database: The database of the cluster that the nodes are of, whose nodes get an image as well; None where they are of none.

    Returns:
        What images are made of; facts of a node are missing where a check says why (a node that is down is one: BZ#2077335).
    """
    site = run.site
    groups = (*request.roles, *([database.role] if database else []))
    nodes = tuple(run.shells[host.name] for host in site.select(dict.fromkeys(groups)))
    for role in request.roles:
        if not site.select([role]):
            run.checks.append(Check(_ROLE, "", "", f"no host has role {role}", "see the site's inventory, and `roles`"))
    facts = run.everywhere(_NODE, _look_at_node, nodes)
    for name, found in facts.items():
        run.checks += _check_running(name, found)
    cluster = _look_at_cluster(run, request, database.resource, nodes, facts) if database else None
    look_at_operation(run)
    if store.settings.kind == "sftp" and site.rear.archive == "inside":
        said = "archives lie inside the ISOs, where nobody can see that they are whole"
        run.checks.append(Check(_ARCHIVE, "", "", said, 'write archive = "beside" into [rear]; start install-rear'))
    root = images_root(store.settings)
    folders = [found.folder for found in facts.values()]
    known: dict[str, Known] = {}
    seen = run.everywhere(_ROOM, lambda shell: (list_images(shell, root, folders), store.free_bytes()), [store.shell])
    for known, free_bytes in seen.values():
        run.checks.append(_check_room(store.shell.name, free_bytes, facts, known))
    controllers = {
        host.name for role in request.roles if role.startswith(_CONTROLLER) for host in site.hosts_with(role)
    }
    return Imaging(
        request=request,
        run_id=run.journal.run_id,
        nodes=nodes,
        facts=facts,
        controllers=frozenset(controllers),
        database=database,
        databases=tuple(run.hosts_with(database.role)) if database else (),
        addresses={node.name: addresses_of(cluster, node.name) for node in nodes} if cluster else {},
        root=root,
        known=known,
    )


def _look_at_cluster(
    run: Run, request: ImageRequest, resource: str, nodes: Sequence[Shell], facts: Mapping[str, NodeFacts]
) -> Cluster | None:
    """Ask the first node on which Pacemaker runs for its cluster; None where it gives no answer, which is a check."""
    clustered = [node for node in nodes if node.name in facts and facts[node.name].before.clustered]
    if facts and not clustered:
        said = "Pacemaker runs on none of these nodes"
        run.checks.append(Check(_CLUSTER, "", "", said, "`pcs cluster start --all`; start resume-control-plane"))
    seen = run.everywhere(_CLUSTER, lambda shell: read_cluster(shell, resource), clustered[:1])
    for cluster in seen.values():
        stopped = [node.name for node in nodes] if request.availability == "pause" else None
        run.checks += check_cluster(cluster, stopped)
        if request.availability == "rolling":
            run.checks += check_spare(cluster)
    return next(iter(seen.values()), None)


def _look_at_node(shell: Shell) -> NodeFacts:
    """Look at one node.

    Raises:
        HostError: ReaR is not set up there, or is at work.
        CommandTimedOut: podman waits for something that holds a container.
    """
    before = read_running(shell)
    running = before.in_state("running")
    return NodeFacts(
        before=before,
        folder=find_folder(shell),
        config_drive=find_config_drive(shell),
        ceph=ceph_monitor(running),
        ovn=ovn_databases(running),
        used_bytes=read_used_bytes(shell),
        timers=tuple(read_armed(shell)),
        own_schedule=has_own_job(shell),
    )


def _check_running(host: str, found: NodeFacts) -> list[Check]:
    """What is paused would stay so: nobody would know that it ran. A timer of a killed run would release what this one pauses."""
    before, checks = found.before, []
    if found.timers:
        said = f"a run that was killed has left {len(found.timers)} timers there, which undo what it has done"
        checks.append(Check(_RUNS, host, "", said, "start resume-control-plane, or wait until they have fired"))
    if found.own_schedule:
        said = f"ReaR's own cron job is there ({OWN_JOB}): it would make an image of its own"
        checks.append(Check(_RUNS, host, "", said, "start install-rear, which removes it; an update brings it back"))
    if before.pacemaker not in {"", ACTIVE}:
        checks.append(Check(_RUNS, host, "", "Pacemaker is stopped there", "start resume-control-plane first"))
    if paused := before.in_state(PAUSED):
        said = f"{len(paused)} containers are paused: {', '.join(paused)}"
        checks.append(Check(_RUNS, host, "", said, "start resume-control-plane first"))
    for name in before.in_state(STOPPING):
        hint = f"`podman kill {name}` there, then start its unit"
        checks.append(Check(_RUNS, host, "", f"container {name} is {STOPPING}: a `podman stop` of it was killed", hint))
    return checks or [Check(_RUNS, host, str(before))]


def check_spare(cluster: Cluster) -> list[Check]:
    """What would stop serving with the one node that leaves.

    Args:
        cluster: What Pacemaker says.
    """
    reasons = []
    if len(cluster.nodes) < _QUORATE:
        reasons.append(f"of {len(cluster.nodes)} nodes none can leave: with it the quorum would go")
    if cluster.bundle.replicas < _SERVING:
        reasons.append(f"Galera has {cluster.bundle.replicas} node: when it leaves, nobody serves")
    return [Check(_CLUSTER, "", "", reason, 'use availability="pause"') for reason in reasons]


def check_cluster(cluster: Cluster, nodes: Sequence[str] | None) -> list[Check]:
    """What keeps a cluster from coming back as it was, or from being stopped as a whole.

    A standby attribute would be in the image: the node that is restored from it would come back standby.

    Args:
        cluster: What Pacemaker says.
        nodes: Names of the nodes that get an image, where it is stopped as a whole; None where it is not.
    """
    ours = {name.split(".")[0] for name in nodes or ()}
    checks = [
        Check(
            _CLUSTER,
            node.name,
            "",
            f"Pacemaker has it {', '.join(node.troubles)}",
            "see `pcs status`, `pcs node unstandby`",
        )
        for node in cluster.nodes
        if node.troubles
    ]
    strangers = [node.name for node in cluster.nodes if node.name.split(".")[0] not in ours]
    if strangers and nodes is not None:
        said = f"{', '.join(strangers)} would be stopped, and gets no image"
        checks.append(Check(_CLUSTER, "", "", said, "name all roles of the cluster as `roles`"))
    whole = []
    if cluster.quorum is False or not cluster.decides:
        whole.append("the cluster has no quorum, or nobody decides")
    whole += [f"{trouble} is set" for trouble in cluster.troubles]
    if cluster.bundle.promoted < cluster.bundle.replicas:
        whole.append(f"Galera is promoted on {cluster.bundle.promoted} of {cluster.bundle.replicas} nodes")
    if whole:
        return [
            *checks,
            *(Check(_CLUSTER, "", "", reason, "bring it back first: see `pcs status`") for reason in whole),
        ]
    return checks or [Check(_CLUSTER, "", f"{len(cluster.nodes)} nodes, Galera promoted on all")]


def _check_room(host: str, free_bytes: int, facts: Mapping[str, NodeFacts], known: Mapping[str, Known]) -> Check:
    """Whether the store has room for an image of each node."""
    needed = 0
    for found in facts.values():
        latest = known[found.folder].latest_bytes
        needed += found.used_bytes if latest is None else round(latest * _MORE)
    seen = f"{free_bytes / 2**30:.1f} GiB are free, and the images may take {needed / 2**30:.1f} GiB"
    if free_bytes >= needed:
        return Check(_ROOM, host, seen)
    return Check(_ROOM, host, "", seen, "remove old images, or give the store more room")
