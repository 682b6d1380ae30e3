"""The steps of images: what is saved, paused, stopped, and released in the reverse order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.backup.backup_set import SetName
from tasks.backup.records import Imaged, NodeImage
from tasks.backup.store import Store
from tasks.engine.change import Call, Change
from tasks.engine.journal import now
from tasks.engine.steps import Steps
from tasks.node import cluster, saved
from tasks.node.config_drive import save_config_drive
from tasks.node.pacemaker import check_health
from tasks.node.pausing import check_as_before, pause, unpause
from tasks.rear.images import check_images, close_images, make_image
from tasks.rear.stored import list_stored
from tasks.runbooks.node_images.imaging import Imaging

_NO_DRIVE = "no Controller has a partition with the label config-2"


def save_first(steps: Steps, imaging: Imaging) -> None:
    """Steps 1 and 2b: what is saved while everything runs.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
    """
    facts = imaging.facts
    drives, monitors = imaging.with_config_drive, imaging.with_ceph

    def save_drive(node: Shell) -> Change:
        return save_config_drive(facts[node.name].config_drive)

    def save_ceph(node: Shell) -> Change:
        return saved.save_ceph_auth(facts[node.name].ceph)

    sentence = "Back up the config-drive partition of each node"
    if drives:
        steps.step("1", sentence, drives, save_drive)
    else:
        steps.skip("1", sentence, _NO_DRIVE)
    steps.skip("2", "Create the Ansible playbook", "what the role does is done step by step")
    sentence = "Back up Ceph's authentication"
    if monitors:
        steps.step("2b", sentence, monitors, save_ceph)
    else:
        steps.skip("2b", sentence, "no node has a Ceph monitor")


def save_configuration(steps: Steps, imaging: Imaging) -> None:
    """Steps 3h and 3i: what is saved while the cluster runs.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
    """
    facts, servers = imaging.facts, imaging.with_ovn
    sentence = "Back up OVN's northbound and southbound databases"
    if servers:
        steps.step("3h", sentence, servers, lambda node: saved.save_ovn(facts[node.name].ovn))
    else:
        steps.skip("3h", sentence, "no node has OVN's databases")
    steps.step("3i", "Back up Pacemaker's configuration", imaging.clustered, saved.save_pacemaker())


def record_running(steps: Steps, imaging: Imaging) -> None:
    """What runs, as preflight has seen it.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
    """
    for node in imaging.nodes:
        question = "podman container ls --all; systemctl list-units 'tripleo_*'; crm_mon --as-xml"
        answer = str(imaging.before(node))
        steps.record_answer(imaging.request.numbers.before, "Record what runs", node, question, answer)


@contextmanager
def paused(steps: Steps, imaging: Imaging) -> Iterator[None]:
    """Everything is paused within the block, and runs afterwards.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
    """
    start_s, numbers, nodes = imaging.request.start_s, imaging.request.numbers, list(imaging.nodes)
    record_running(steps, imaging)
    with steps.cleanup(imaging.released):
        steps.step(numbers.pause, "Pause the containers", nodes, lambda node: pause(imaging.before(node), start_s))
        yield
        steps.step(
            numbers.unpause, "Unpause the containers", nodes, lambda node: unpause(imaging.before(node), start_s)
        )
    # What does not come back by itself is no cause to release it again.
    compare(steps, imaging, nodes)


def compare(steps: Steps, imaging: Imaging, nodes: list[Shell]) -> None:
    """What ran before runs again.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
        nodes: The nodes that are looked at.
    """
    sentence, start_s = "Compare what runs with what ran before", imaging.request.start_s
    steps.step(
        imaging.request.numbers.compare, sentence, nodes, lambda node: check_as_before(imaging.before(node), start_s)
    )


def make_images(steps: Steps, imaging: Imaging) -> None:
    """Steps 3h to 3n: the databases of OVN, Pacemaker's configuration, the cluster stopped, ReaR, the cluster started.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
    """
    request, clustered = imaging.request, imaging.clustered
    save_configuration(steps, imaging)
    steps.step("3j", "Stop the cluster", clustered[:1], cluster.stop_cluster(request.start_s))
    steps.step("3k", "See that it has stopped everywhere", clustered, cluster.check_stopped(request.start_s))
    create_images(steps, imaging)
    steps.step("3m", "Start the cluster", clustered[:1], cluster.start_cluster(request.start_s))
    assert imaging.database is not None, "a cluster without a database is none that is looked at"
    promoted = check_health(imaging.database.resource, request.start_s)
    steps.step("3n", "Wait until Galera is promoted", clustered[:1], promoted)


def create_images(steps: Steps, imaging: Imaging) -> None:
    """ReaR on all nodes side by side.

    Args:
        steps: Who walks through them.
        imaging: What images are made of.
    """
    number, nodes = imaging.request.numbers.image, list(imaging.nodes)
    steps.step(number, "Create the image of each node", nodes, lambda node: image(imaging, node))


def image(imaging: Imaging, node: Shell) -> Change:
    """Make the image of a node.

    Args:
        imaging: What images are made of.
        node: The node.
    """
    return make_image(imaging.key, imaging.request.image_s, imaging.expected_bytes(node))


def prove_images(steps: Steps, imaging: Imaging, store: Store, name: SetName) -> None:
    """The images are whole, closed, and belong to the set.

    Args:
        steps: Who walks through them.
        imaging: What images were made of.
        store: The store.
        name: The set.
    """
    arguments = (imaging.key, imaging.root, imaging.known, imaging.request.image_s)
    host, numbers = [store.shell], imaging.request.numbers
    steps.step(numbers.check, "See that every image is whole", host, check_images(*arguments))
    steps.step(numbers.close, "Write down the sums of the images' files", host, close_images(*arguments))
    on_record = record_images(imaging, store, name)
    steps.step(numbers.belong, "Put on record of the set which images belong to it", host, on_record)


def record_images(imaging: Imaging, store: Store, name: SetName) -> Change:
    """Put on record of the set which images were made with it, and how large they are.

    Args:
        imaging: What images were made of.
        store: The store.
        name: The set.
    """
    run_id = UUID(imaging.run_id)

    def already(_: Shell) -> bool:
        records = store.catalogue().find(str(name)).records
        return any(isinstance(each, Imaged) and each.run_id == run_id for each in records)

    def do(shell: Shell, _: Watch) -> Performed:
        made = tuple(
            NodeImage(host=host, run=run, size_bytes=image.size_bytes)
            for image in list_stored(shell, imaging.root, list(imaging.known))
            for host, _, run in [image.path.partition("/")]
            if image.whole and run not in imaging.known[host].runs
        )
        if missing := imaging.known.keys() - {image.host for image in made}:
            said = f"the images of {', '.join(sorted(missing))} are not there any more"
            raise HostError(shell.name, said, "see who has removed them from the store; make them again")
        store.record(name, Imaged(at=now(), run_id=run_id, images=made))
        return "done"

    return Change((Call(f"put the images of {', '.join(imaging.known)} on record of {name}", do),), already=already)
