"""What must be so before a node's power is cut: a whole image, a way to boot it, and nothing that would be lost unseen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from blocks.remote.bmc import Bmc
from blocks.remote.errors import HostError, RunbookError, Unreachable
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, Site
from blocks.store import BackupStore
from tasks.ansible.site_role import nfs_url
from tasks.engine.checks import Check
from tasks.engine.journal import Journal
from tasks.engine.order import Order
from tasks.engine.questions import Questions
from tasks.engine.run import Run
from tasks.node.ironic import IronicNode, read_nodes
from tasks.node.own_system import answers
from tasks.rear.images import images_root
from tasks.rear.rescue import READY, USER, rescue_state
from tasks.rear.stored_images import StoredImage
from tasks.runbooks.restore_node.choosing import choose_images, choose_nodes
from tasks.runbooks.restore_node.galera_set import read_set
from tasks.runbooks.restore_node.job import Job, Node, Request, is_undercloud
from tasks.runbooks.restore_node.resume import Resume, how_to_go_on

_BMC, _NODE, _JOURNAL = "BMC", "node", "journal"
# TripleO's name for the roles whose config drives the document writes.
_CONTROLLER = "Controller"


@dataclass(frozen=True)
class _Seen:
    """What was seen of one node."""

    bmc_uuid: str
    in_rescue: bool
    up: bool


def look(run: Run, request: Request, order: Callable[[Job], Sequence[str]]) -> Job:
    """Look at the store, at the nodes and at their BMCs, and refuse with the complete list.

    Args:
        run: The run.
        request: What it was asked for.
        order: The steps' numbers, of a job.

    Raises:
        RunbookError: The site names no store, or no such node.
        Refused: With every reason.
    """
    site, store = run.site, run.site.store
    if store is None:
        raise RunbookError(f"site {site.site} has no store", "write a section [store] into its site file, and apply it")
    names, all_nodes = choose_nodes(run, request)
    root, backup_node = images_root(store), run.shells[site.named(BACKUP_NODE).name]
    shells = {name: (site.shell(site.host(name)), site.shell(site.host(name), USER)) for name in names}
    for pair in shells.values():
        for shell in pair:
            run.resources.callback(shell.close)
    images = choose_images(run, request, backup_node, root, names)
    resume = _resume(run, order, images)
    bmcs = {name: bmc for name in names if (bmc := site.bmc_of(name)) is not None}
    for bmc in bmcs.values():
        run.resources.callback(bmc.close)
    seen = _look_at_nodes(run, request, resume, shells, images, bmcs)
    nodes = [
        Node(
            name=name,
            image=image,
            own=shells[name][0],
            rescue=shells[name][1],
            bmc=bmcs.get(name),
            bmc_uuid=seen[name].bmc_uuid,
            iso_url=_iso_url(run, site, store, image) if name in bmcs else "",
            controller=any(name in hosts for role, hosts in site.roles.items() if role.startswith(_CONTROLLER)),
            in_rescue=seen[name].in_rescue,
            booted=seen[name].up and not resume.boots,
        )
        for name, image in images.items()
    ]
    run.refuse_if_any()
    cluster = None if is_undercloud(site, request.nodes) else _cluster(site, shells)
    if cluster is not None:
        run.resources.callback(cluster.close)
    ironic = () if cluster is None else _ironic(run, names)
    undercloud = None if cluster is None else run.first
    galera_set = read_set(backup_node, site, [image.run for image in images.values()])
    what = (site, request, backup_node, root, tuple(nodes), all_nodes)
    return Job(*what, cluster, resume, undercloud, ironic, galera_set)


def _resume(run: Run, order: Callable[[Job], Sequence[str]], images: dict[str, StoredImage]) -> Resume:
    new = Journal.model_copy(run.journal, deep=True)
    first = Resume(new)
    runs = {name: image.run for name, image in images.items()}
    with Questions(run.checks) as questions:

        def decide() -> Resume:
            earlier, _ = run.journals.read()
            if earlier is not None:
                # What an earlier attempt left stands, whether this one begins or not: every report says so.
                run.journal.in_force, run.journal.kept = dict(earlier.in_force), dict(earlier.kept)
            return how_to_go_on(Order(order(_any_job(run))), new, earlier, runs)

        answer = questions.ask(_JOURNAL, decide)
    return answer.known or first


def _any_job(run: Run) -> Job:
    """A job whose steps have the numbers of every job's."""
    return Job(run.site, Request(), run.first, "", (), 0, run.first, Resume(run.journal))


def _look_at_nodes(
    run: Run,
    request: Request,
    resume: Resume,
    shells: Mapping[str, tuple[Shell, Shell]],
    images: Mapping[str, StoredImage],
    bmcs: Mapping[str, Bmc],
) -> dict[str, _Seen]:
    """Look at all of them at once: those that have no power answer late."""
    with Questions(run.checks, at_once=3 * len(shells)) as questions:
        uuids = {name: questions.ask(_BMC, partial(_look_at_bmc, bmc)) for name, bmc in bmcs.items()}
        up = {name: questions.ask(_NODE, partial(answers, own)) for name, (own, _) in shells.items()}
        in_rescue = {
            name: questions.ask(_NODE, partial(_in_rescue, rescue, images.get(name)))
            for name, (_, rescue) in shells.items()
        }
    for name, answer in up.items():
        # Where its disk may be half written, somebody has restored it by hand meanwhile.
        if answer.known and resume.boots and not request.even_if_up:
            said = "it answers: what is on its disk would be lost"
            run.checks.append(Check(_NODE, name, "", said, "shut it down, or start the runbook with even_if_up=true"))
    return {
        name: _Seen(
            bmc_uuid=(uuids[name].known or "") if name in uuids else "",
            in_rescue=bool(in_rescue[name].known),
            up=bool(up[name].known),
        )
        for name in shells
    }


def _in_rescue(rescue: Shell, image: StoredImage | None) -> bool:
    """Whether the rescue system of this image answers. One of another image is no reason: the node is booted again."""
    if image is None:
        return False
    try:
        return rescue_state(rescue, image) == READY
    except Unreachable:
        return False
    except HostError as error:
        if "rescue system is of the image" not in error.message:
            raise
        return False


def _look_at_bmc(bmc: Bmc) -> str:
    """See that it can do what is wanted of it, and ask for the machine's UUID."""
    bmc.power()
    bmc.image()
    return bmc.uuid()


def _iso_url(run: Run, site: Site, store: BackupStore, image: StoredImage) -> str:
    """Where BMCs find an ISO."""
    if site.rear.iso_url:
        return f"{site.rear.iso_url}/{image.iso}"
    if store.kind == "nfs":
        return f"{nfs_url(store)}/{image.iso}"
    said = "the store is SFTP, by which no BMC reads an ISO"
    hint = "serve the directory of images by HTTP, and say where in iso_url of [rear]"
    if said not in [check.reason for check in run.checks]:
        run.checks.append(Check(_BMC, "", "", said, hint))
    return ""


def _ironic(run: Run, names: Sequence[str]) -> tuple[IronicNode, ...]:
    """The nodes whose power Ironic keeps; what somebody else has put into maintenance, stays so. No reason to leave a node dead."""
    try:
        nodes = read_nodes(run.first, run.site.rear.ansible_user, names)
    except HostError as error:
        by_hand = "where Ironic manages these nodes, set their maintenance by hand, or it fights with this run"
        fact = f"{error.message}: {by_hand}"
        run.facts += [fact] if fact not in run.facts else []
        return ()
    return tuple(node for node in nodes if not node.maintenance or node.ours)


def _cluster(site: Site, restored: dict[str, tuple[Shell, Shell]]) -> Shell:
    """Who is asked for Pacemaker's cluster: a restored host of the database, which answers by then; else any of them."""
    hosts = site.hosts_with(site.database.role)
    host = next((host for host in hosts if host.name in restored), hosts[0])
    return site.shell(host)
