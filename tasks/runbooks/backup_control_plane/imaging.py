"""Images of the control plane's nodes as a value: what is paused and stopped for them, what is saved before, what releases it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blocks.remote.shell import Shell
from tasks.engine.cleanup import Cleanup
from tasks.node.pausing import PATIENCE_S, Held, release_words
from tasks.node.running import Running
from tasks.rear.images import Known, job_key, jobs

NAME = "backup-control-plane"


@dataclass(frozen=True)
class ImageRequest:
    """What the operator asks for.

    Attributes:
        roles: Roles of the inventory whose nodes get an image.
        image_s: Seconds for ReaR on a node, and for an image to be read on the store.
        start_s: Seconds for the cluster to stop, to start, and until all runs that ran before.
    """

    roles: tuple[str, ...]
    image_s: int
    start_s: int


@dataclass(frozen=True)
class NodeFacts:
    """What preflight has found on a node.

    Attributes:
        before: What runs there.
        folder: The folder of its images on the store.
        config_drive: The partition; empty where it has none.
        ceph: Container of its Ceph monitor; empty where it has none.
        ovn: Container of OVN's database servers; empty where it has none.
        used_bytes: What its file systems hold.
        timers: Timers that killed runs have left there.
    """

    before: Running
    folder: str
    config_drive: str
    ceph: str
    ovn: str
    used_bytes: int
    timers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imaging:
    """What images are made of.

    Attributes:
        request: What was asked for.
        run_id: Prefect's id of this flow run.
        nodes: The nodes, in the inventory's order.
        facts: Host → what was found.
        controllers: Names of those whose config drive the document saves.
        resource: Pacemaker's bundle of the database.
        root: The directory on the store that holds the nodes' folders.
        known: Folder → the images that are there.
    """

    request: ImageRequest
    run_id: str
    nodes: tuple[Shell, ...]
    facts: Mapping[str, NodeFacts]
    controllers: frozenset[str]
    resource: str
    root: str
    known: Mapping[str, Known]

    @property
    def with_config_drive(self) -> list[Shell]:
        """The Controllers that have a config drive."""
        return [node for node in self.nodes if node.name in self.controllers and self.facts[node.name].config_drive]

    @property
    def with_ceph(self) -> list[Shell]:
        """The nodes with a Ceph monitor."""
        return [node for node in self.nodes if self.facts[node.name].ceph]

    @property
    def with_ovn(self) -> list[Shell]:
        """The nodes with OVN's databases."""
        return [node for node in self.nodes if self.facts[node.name].ovn]

    @property
    def clustered(self) -> list[Shell]:
        """The nodes of the cluster."""
        return [node for node in self.nodes if self.before(node).clustered]

    def before(self, node: Shell) -> Running:
        """What ran on a node before."""
        return self.facts[node.name].before

    @property
    def key(self) -> str:
        """The key of the units that make images in this run."""
        return job_key(NAME, self.run_id)

    @property
    def released(self) -> Cleanup:
        """What ends ReaR, starts the cluster and unpauses what was recorded, on each node by itself."""
        words = {node.name: release_words(Held.by_backup(self.before(node)), jobs=jobs(NAME)) for node in self.nodes}
        return Cleanup(
            key="paused",
            sentence="End ReaR, start the cluster, unpause the containers",
            words=words,
            within_s=PATIENCE_S + 300.0,
        )

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        paused = sum(len(self.before(node).to_pause) for node in self.nodes)
        return (
            f"images of {', '.join(node.name for node in self.nodes)} are made: {paused} containers are paused and the cluster "
            f"of {len(self.clustered)} nodes is stopped meanwhile"
        )
