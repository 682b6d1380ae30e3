"""The role on one site: where images go, which variables say so, and the files of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blocks.host import Host
from blocks.remote.shell import Shell
from blocks.site import Site
from blocks.store import BackupStore
from tasks.ansible.files import DIRECTORY, Node, PlaybookFiles, inventory_text, known_hosts_text, playbook_text


def node_of(site: Site, host: Host) -> Node:
    """A host as Ansible reaches it from the undercloud, which is a host itself."""
    if host.name == site.undercloud:
        return Node(host.name)
    return Node(host.name, host.address, site.ssh.users.get(host.name, site.ssh.user))


def nfs_url(store: BackupStore) -> str:
    """Where ISO and archive go by NFS."""
    return f"nfs://{store.host}{store.path}"


def variables(site: Site, store: BackupStore, urls: Mapping[str, str]) -> dict[str, object]:
    """The role's variables, each under all the names that it has had.

    The role of Platform 16.1 as upstream has it (stable/train) knows no `…_server`, which the document gives it, and writes
    `/ctl_plane_backups` into its URLs whatever the folder is. So server, folder and URLs are given to it, under both names.

    Args:
        site: The site.
        store: Its store.
        urls: `output_url` and `backup_url`.
    """
    prefix = "tripleo_backup_and_restore_"
    by_name: dict[str, object] = {
        **dict.fromkeys(("server", "nfs_server"), store.host),
        **dict.fromkeys(("shared_storage_folder", "nfs_storage_folder"), store.path),
        **{name: list(site.rear.nfs_clients) for name in ("clients_nets", "nfs_clients_nets")},
        **urls,
    }
    return {**site.rear.variables, **{f"{prefix}{name}": value for name, value in by_name.items()}}


def playbook_files(
    runbook: str,
    site: Site,
    groups: Mapping[str, Sequence[Shell]],
    playbook: tuple[str, str, str],
    role_variables: Mapping[str, object],
) -> PlaybookFiles:
    """Make the files of a run.

    Args:
        runbook: Whose they are.
        site: The site.
        groups: Group of the inventory → its hosts.
        playbook: The playbook's file, what it does as the document words it, and the role's name.
        role_variables: The role's variables.

    Raises:
        RunbookError: A host has no pinned key.
    """
    directory = f"{DIRECTORY}/{runbook}-{site.site}"
    nodes = {group: [node_of(site, site.host(shell.name)) for shell in shells] for group, shells in groups.items()}
    addresses = [node.address for members in nodes.values() for node in members if node.address]
    file, does, role = playbook
    return PlaybookFiles(
        directory=directory,
        owner=site.rear.ansible_user,
        inventory=inventory_text(nodes, site.rear.ansible_key, directory, site.ssh.port),
        known_hosts=known_hosts_text(site.ssh.known_hosts, addresses, site.ssh.port),
        playbook=playbook_text(does, ",".join(groups), role),
        playbook_name=file,
        variables=role_variables,
    )
