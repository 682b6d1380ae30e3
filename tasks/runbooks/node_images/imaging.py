"""Images of nodes as a value: what is paused and stopped for them, what is saved before, what releases it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from blocks.database import GaleraDatabase
from blocks.remote.shell import Shell
from tasks.engine.cleanup import Cleanup
from tasks.node.pausing import PATIENCE_S, Held, release_words
from tasks.node.running import Running
from tasks.rear.images import Known, job_key, jobs

# `pause`, as documented: all nodes at once, and nothing serves. `rolling`: one node at a time leaves the cluster, the others serve.
Availability = Literal["pause", "rolling"]


@dataclass(frozen=True)
class Numbers:
    """Under which number of its document a runbook takes each step that all of them take.

    Attributes:
        before: What runs is recorded.
        pause: Containers are paused.
        image: Images are made.
        unpause: Containers are unpaused.
        compare: What runs is compared with what ran.
        check: Images are seen to be whole.
        close: Sums are written down.
        belong: The images are put on record of their set.
    """

    before: str
    pause: str
    image: str
    unpause: str
    compare: str
    check: str
    close: str
    belong: str


# BR 2.5 and 3.5, whose step 3 is the role's tasks; BR 1.5, whose step 6 is.
CONTROL_PLANE = Numbers("2c", "2d", "3l", "3o", "3p", "3q", "3r", "3s")
UNDERCLOUD = Numbers("6a", "6b", "6", "6c", "6d", "6e", "6f", "6g")


@dataclass(frozen=True)
class ImageRequest:
    """What the operator asks for.

    Attributes:
        runbook: The runbook's name.
        roles: Roles of the inventory, or named hosts, whose nodes get an image.
        image_s: Seconds for ReaR on a node, and for an image to be read on the store.
        start_s: Seconds for the cluster to stop, to start, and until all runs that ran before.
        availability: Whether all nodes stop serving at once, or one at a time.
        numbers: The steps' numbers.
    """

    runbook: str
    roles: tuple[str, ...]
    image_s: int
    start_s: int
    availability: Availability = "pause"
    numbers: Numbers = CONTROL_PLANE


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
        own_schedule: Whether the cron job of ReaR's package is there.
    """

    before: Running
    folder: str
    config_drive: str
    ceph: str
    ovn: str
    used_bytes: int
    timers: tuple[str, ...] = ()
    own_schedule: bool = False


@dataclass(frozen=True)
class Imaging:
    """What images are made of.

    Attributes:
        request: What was asked for.
        run_id: Prefect's id of this flow run.
        nodes: The nodes, in the inventory's order.
        facts: Host → what was found.
        controllers: Names of those whose config drive the document saves.
        database: The database of the cluster that the nodes are of; None where they are of none.
        databases: Its nodes.
        addresses: Host → how many virtual addresses it holds.
        root: The directory on the store that holds the nodes' folders.
        known: Folder → the images that are there.
    """

    request: ImageRequest
    run_id: str
    nodes: tuple[Shell, ...]
    facts: Mapping[str, NodeFacts]
    controllers: frozenset[str]
    database: GaleraDatabase | None
    databases: tuple[Shell, ...]
    addresses: Mapping[str, int]
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

    @property
    def in_turn(self) -> list[Shell]:
        """The nodes of the cluster in the order in which they leave it: whoever holds most virtual addresses is the last.

        What moves meanwhile is seen as an outage by its clients, so an address should not move to a node that leaves next.
        """
        return sorted(self.clustered, key=lambda node: self.addresses.get(node.name, 0))

    def before(self, node: Shell) -> Running:
        """What ran on a node before."""
        return self.facts[node.name].before

    def expected_bytes(self, node: Shell) -> int:
        """How large a node's image may become: as the latest, else as all that its file systems hold."""
        facts = self.facts[node.name]
        latest = self.known[facts.folder].latest_bytes
        return facts.used_bytes if latest is None else latest

    @property
    def key(self) -> str:
        """The key of the units that make images in this run."""
        return job_key(self.request.runbook, self.run_id)

    @property
    def released(self) -> Cleanup:
        """What ends ReaR, starts the cluster and unpauses what was recorded, on each node by itself."""
        own = jobs(self.request.runbook)
        words = {node.name: release_words(Held.by_backup(self.before(node)), jobs=own) for node in self.nodes}
        return Cleanup(
            key="paused",
            sentence="End ReaR, start the cluster, unpause the containers",
            words=words,
            within_s=PATIENCE_S + 300.0,
        )

    def rejoined(self, node: Shell) -> Cleanup:
        """What ends ReaR and starts a node's part of the cluster, where one node at a time has left it."""
        return Cleanup(
            key="left the cluster",
            sentence="End ReaR, start the cluster on the node",
            words={node.name: release_words(Held(cluster=True), jobs=jobs(self.request.runbook))},
            within_s=PATIENCE_S + 300.0,
        )

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        names = ", ".join(node.name for node in self.nodes)
        if self.request.availability == "rolling":
            return (
                f"images of {names} are made, while one of {len(self.clustered)} nodes at a time has left the cluster"
            )
        paused = sum(len(self.before(node).to_pause) for node in self.nodes)
        stopped = f"the cluster of {len(self.clustered)} nodes is stopped" if self.clustered else ""
        held = " and ".join(filter(None, (f"{paused} containers are paused", stopped)))
        return f"images of {names} are made: {held} meanwhile"
