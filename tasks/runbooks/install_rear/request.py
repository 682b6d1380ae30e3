"""What install-rear was asked for, and what it is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from blocks.remote.shell import Shell
from blocks.site import Site
from blocks.store import BackupStore
from tasks.ansible.playbook import PlaybookRun, RoleStep, role_step
from tasks.rear.settings import Wanted, differences, read_settings

NAME = "install-rear"
TAG = "bar_setup_rear"


@dataclass(frozen=True)
class Request:
    """What a run was asked for.

    Attributes:
        roles: Groups of the inventory, or `undercloud`.
        role_timeout_s: Seconds for the role.
        again: Whether the role is run even where nothing is left for it to do.
        disable_cron: Whether the documented crontab line becomes a comment.
    """

    roles: tuple[str, ...]
    role_timeout_s: int
    again: bool = False
    disable_cron: bool = False


@dataclass(frozen=True)
class NodeState:
    """What was seen of a node.

    Attributes:
        uefi: Whether it has booted by UEFI.
        networking: Commands that set up the network of its rescue system; none where ReaR's own do.
        network_findings: What the operator should know of these.
        network_block: Whether an earlier run has set up such a network.
        ceph: Whether a Ceph monitor keeps its data there.
    """

    uefi: bool
    networking: tuple[str, ...] = ()
    network_findings: tuple[str, ...] = ()
    network_block: bool = False
    ceph: bool = False


@dataclass(frozen=True)
class Installation:
    """What is set up.

    Attributes:
        site: The site.
        store: Its store.
        undercloud: Where Ansible runs.
        backup_node: Where images go by SFTP; None where they go by NFS.
        nodes: Where ReaR is set up.
        states: Host → what was seen.
        wanted: Host → what ReaR must read there.
        run: The playbook's run.
        crontab: Lines of the crontab of Ansible's account that start a backup of the documents.
        request: What was asked for.
        sftp_known_hosts: The backup node's pinned keys.
    """

    site: Site
    store: BackupStore
    undercloud: Shell
    backup_node: Shell | None
    nodes: tuple[Shell, ...]
    states: Mapping[str, NodeState]
    wanted: Mapping[str, Wanted]
    run: PlaybookRun
    crontab: tuple[str, ...]
    request: Request
    sftp_known_hosts: str = ""

    @property
    def uefi_nodes(self) -> list[Shell]:
        """The nodes that have booted by UEFI."""
        return [node for node in self.nodes if self.states[node.name].uefi]

    @property
    def ceph_nodes(self) -> list[Shell]:
        """The nodes with a Ceph monitor."""
        return [node for node in self.nodes if self.states[node.name].ceph]

    @property
    def bridged_nodes(self) -> list[Shell]:
        """The nodes whose rescue system needs a network of its own, or has one from an earlier run and needs none any more."""
        states = self.states
        return [node for node in self.nodes if states[node.name].networking or states[node.name].network_block]

    @property
    def findings(self) -> list[str]:
        """What the operator should know."""
        found = [f"{node.name}: {said}" for node in self.nodes for said in self.states[node.name].network_findings]
        if self.crontab and not self.request.disable_cron:
            found += [
                f"{self.undercloud.name}: the crontab of {self.site.rear.ansible_user} starts a backup as well: {line}. Two "
                "schedules would stop the same cluster: start this runbook with disable_cron=true, or take the line out"
                for line in self.crontab
            ]
        return found

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        names = ", ".join(node.name for node in self.nodes)
        return f"ReaR on {names} sends images to {self.wanted[self.nodes[0].name].output_url}"

    def role_step(self) -> RoleStep:
        """The step that runs the role: not where ReaR reads on every node what it should."""

        def is_done() -> bool:
            return not any(differences(read_settings(node), self.wanted[node.name]) for node in self.nodes)

        return role_step(self.run, lambda: not self.request.again and is_done())
