"""What a restore of nodes is made from: which, of which images, how each is reached, and how long each wait may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from blocks.remote.bmc import Bmc
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD, Site
from tasks.engine.steps import Fence
from tasks.node.consistency import Agreement
from tasks.node.ironic import IronicNode
from tasks.rear.stored_images import StoredImage
from tasks.runbooks.restore_node.agreements import agreements, host_of
from tasks.runbooks.restore_node.galera_set import NO_SET, GaleraSet
from tasks.runbooks.restore_node.resume import Resume

NAME = "restore-node"


@dataclass(frozen=True)
class Request:
    """What the operator asks for.

    Attributes:
        nodes: Names of hosts; none: all of the roles.
        roles: Roles of the inventory that make up the control plane.
        image: The beginning of the images' time; empty for the latest.
        reason: Why not all nodes of the control plane are restored.
        even_if_up: Whether a node that answers may be restored.
        disks: Host → WWNs or serial numbers of disks that may be erased.
        compare_s: Seconds for an image to be compared with its sums.
        bmc_s: Seconds until a BMC says that something is as it was told.
        rescue_s: Seconds until the rescue system answers.
        console_s: Seconds for what must be done at a console.
        recover_s: Seconds for `rear recover`.
        start_s: Seconds until the restored node answers, until its services run, and until the cluster is whole.
        consistency_s: Seconds for each comparison of what must agree, and for each repair.
        repair: What of it is repaired where it differs, by the keys of `tasks.node.consistency`.
    """

    nodes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ("Controller",)
    image: str = ""
    reason: str = ""
    even_if_up: bool = False
    disks: Mapping[str, tuple[str, ...]] | None = None
    compare_s: int = 14400
    bmc_s: int = 300
    rescue_s: int = 1800
    console_s: int = 14400
    recover_s: int = 28800
    start_s: int = 1800
    consistency_s: int = 3600
    repair: tuple[str, ...] = ()

    def disks_of(self, host: str) -> tuple[str, ...]:
        """What may be erased on a host."""
        return tuple((self.disks or {}).get(host, ()))


def is_undercloud(site: Site, nodes: tuple[str, ...]) -> bool:
    """Whether the undercloud is what is restored."""
    return bool(nodes) and set(nodes) <= {UNDERCLOUD, site.undercloud}


def hosts_of_restore(site: Site, parameters: Mapping[str, Any]) -> list[str]:
    """The hosts that outlive the restore: the undercloud, which keeps the journal, and the store's. The nodes have no disk.

    Args:
        site: The site.
        parameters: The flow's.
    """
    nodes = tuple(str(node) for node in parameters.get("nodes") or ())
    return [BACKUP_NODE] if is_undercloud(site, nodes) else [UNDERCLOUD, BACKUP_NODE]


@dataclass(frozen=True)
class Node:
    """A node that is restored.

    Attributes:
        name: Its name in the inventory.
        image: What it is restored from.
        own: A shell on its own system.
        rescue: A shell on its rescue system.
        bmc: Its BMC; None where the site file has none.
        bmc_uuid: The machine's UUID as its BMC has it.
        iso_url: Where its BMC finds the ISO.
        controller: Whether it is a Controller: the document writes the config drive of those alone.
        in_rescue: Whether its rescue system of this image answers already.
        booted: Whether its disk is whole, and its own system answers already: somebody has booted it.
    """

    name: str
    image: StoredImage
    own: Shell
    rescue: Shell
    bmc: Bmc | None
    bmc_uuid: str
    iso_url: str
    controller: bool
    in_rescue: bool
    booted: bool = False


@dataclass(frozen=True)
class Job:
    """What is restored.

    Attributes:
        site: The site.
        request: What was asked for.
        store: The store's host.
        root: The directory of images there.
        nodes: The nodes.
        all_nodes: How many the control plane has.
        cluster: A host that is asked for Pacemaker's cluster; None for the undercloud.
        resume: How to go on.
        undercloud: Where Ironic is; None where the undercloud is what is restored.
        ironic: The nodes in Ironic that a restore may put into maintenance.
        galera_set: What restore-galera is given where Galera does not come back by itself.
    """

    site: Site
    request: Request
    store: Shell
    root: str
    nodes: tuple[Node, ...]
    all_nodes: int
    cluster: Shell | None
    resume: Resume
    undercloud: Shell | None = None
    ironic: tuple[IronicNode, ...] = ()
    galera_set: GaleraSet = NO_SET

    @property
    def to_boot(self) -> list[Node]:
        """The nodes that must be booted into their rescue systems."""
        return [node for node in self.nodes if not node.in_rescue]

    @property
    def with_bmc(self) -> list[Node]:
        """The nodes whose BMC does what a person would do at the console."""
        return [node for node in self.nodes if node.bmc is not None]

    @property
    def in_rescue_still(self) -> list[Node]:
        """The nodes that nobody has booted from their disks since these are whole."""
        return [node for node in self.nodes if not node.booted]

    @property
    def without_bmc(self) -> list[Node]:
        """The nodes that somebody must boot at the console."""
        return [node for node in self.nodes if node.bmc is None]

    @property
    def with_config_drive(self) -> list[Node]:
        """The Controllers whose image has a config drive."""
        return [node for node in self.nodes if node.controller and node.image.config_drive]

    @property
    def off(self) -> Fence:
        """What stands from the first power-off on."""
        return Fence("off", f"{self._names} are off, or in their rescue systems")

    @property
    def erased(self) -> Fence:
        """What stands once a disk may have been written to."""
        return Fence(
            "disks", f"the disks of {self._names} are being restored: they hold neither what was there nor the image"
        )

    @property
    def maintenance(self) -> Fence:
        """What Ironic does not do meanwhile."""
        return Fence("maintenance", f"Ironic has {', '.join(node.host for node in self.ironic)} in maintenance")

    @property
    def _names(self) -> str:
        return ", ".join(node.name for node in self.nodes)

    @property
    def findings(self) -> list[str]:
        """What must be done at consoles, and what an earlier attempt has left."""
        left = [self.resume.left] if self.resume.left else []
        return left + [
            f"{node.name} has no section [bmc.{node.name}] in the site file: power it off at its console, boot "
            f"{self.root}/{node.image.iso} of {self.store.name} (from a DVD, or by its remote console), and choose Recover "
            f"{node.name} (with UEFI: no Secure Boot). When step 7c says so, take the ISO out, and have it boot from its disk"
            for node in self.without_bmc
            if self.resume.boots
        ]

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        told = ", ".join(f"{node.name} from {node.image}" for node in self.nodes)
        why = (
            f"; not all {self.all_nodes} nodes of the control plane: {self.request.reason}"
            if self.request.reason
            else ""
        )
        repaired = f"; repaired, where they differ: {', '.join(self.request.repair)}" if self.request.repair else ""
        return f"nodes are restored: {told}{why}{repaired}"

    @property
    def destroyed(self) -> str:
        """What is lost, for the approval."""
        lines = [
            f"{node.name}: everything on {', '.join(map(str, node.image.disks))} is erased and replaced by what was there at "
            f"{node.image.time}{' (it answers today)' if self.request.even_if_up else ''}"
            for node in self.nodes
        ]
        lines += [
            f"{agreement.subject}, where they differ afterwards: {agreement.effect}"
            for agreement in self.agreements
            if agreement.key in self.request.repair
        ]
        more = f"\n{self.resume.why}" if self.resume.why else ""
        return f"{self.summary}\n" + "\n".join(lines) + more

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        """What must agree once the control plane is restored."""
        return agreements(self.site)

    def hosts_of(self, container: str) -> list[Shell]:
        """The restored node on which a container of the overcloud is asked; none where the undercloud is what is restored."""
        if self.cluster is None:
            return []
        return [host_of(container, [(node.own, node.image) for node in self.nodes], self.cluster)]

    @property
    def approve_node(self) -> str:
        """The node whose name approves that its disks are erased; empty where there are several: the site's name does."""
        return self.nodes[0].name if len(self.nodes) == 1 else ""
