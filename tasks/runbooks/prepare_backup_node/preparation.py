"""What is prepared on which host, and what preflight looks at."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.command import question, script
from blocks.remote.errors import HostError, RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD, Site
from blocks.store import BackupStore
from tasks.ansible.files import Node, PlaybookFiles
from tasks.ansible.playbook import PlaybookRun, RoleStep, role_step
from tasks.ansible.role import ANSIBLE, find_role, read_public_key
from tasks.ansible.site_role import nfs_url, node_of, playbook_files, variables
from tasks.engine.change import Change, Wait
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import nfs_server
from tasks.node.versions import check_versions, read_versions
from tasks.rear import sftp

NAME = "prepare-backup-node"
TAG = "bar_setup_nfs_server"
_GROUP = "BackupNode"
_ZONE = "tripleo_backup_and_restore_firewalld_zone"
_ROLES_ZONE = "libvirt"
_WRITABLE = "writable"


@dataclass(frozen=True)
class Request:
    """What a run was asked for.

    Attributes:
        role_timeout_s: Seconds for the role.
        again: Whether the role is run even where nothing is left for it to do.
    """

    role_timeout_s: int
    again: bool = False


@dataclass(frozen=True)
class Preparation:
    """What is prepared.

    Attributes:
        store: The site's store.
        backup_node: The host that keeps the images.
        undercloud: Where Ansible runs.
        site: The site.
        run: The playbook's run; None where the store takes images by SFTP.
        public_key: Of Ansible, for the backup node.
        findings: What the operator should know.
        again: Whether the role is run even where nothing is left for it to do.
    """

    store: BackupStore
    backup_node: Shell
    undercloud: Shell
    site: Site
    run: PlaybookRun | None
    public_key: str = ""
    findings: tuple[str, ...] = ()
    again: bool = False

    @property
    def files(self) -> PlaybookFiles:
        """The playbook's."""
        assert self.run is not None
        return self.run.files

    def role_step(self) -> RoleStep:
        """The step that runs the role: not where the folder is exported to everybody already."""
        assert self.run is not None
        networks = self.site.rear.nfs_clients
        return role_step(
            self.run,
            lambda: not self.again and nfs_server.is_exported(self.backup_node, self.store.path, networks),
        )

    @property
    def node(self) -> Node:
        """The backup node as Ansible reaches it."""
        return node_of(self.site, self.site.host(self.backup_node.name))

    @property
    def summary(self) -> str:
        """What is done, in a sentence."""
        where = f"{self.store.path} on {self.backup_node.name}"
        if self.run is None:
            return f"{where} takes images by SFTP, as {self.site.rear.sftp_user}"
        return f"{where} is exported by NFS to {', '.join(self.site.rear.nfs_clients)}"


def look(run: Run, request: Request) -> Preparation:
    """Look at the undercloud and at the backup node, and refuse with the complete list.

    Args:
        run: The run.
        request: What it was asked for.

    Raises:
        RunbookError: The site names no store.
        Refused: With every reason.
    """
    site, store = run.site, run.site.store
    if store is None:
        raise RunbookError(f"site {site.site} has no store", "write a section [store] into its site file, and apply it")
    undercloud, backup_node = run.shells[site.named(UNDERCLOUD).name], run.shells[site.named(BACKUP_NODE).name]
    if store.kind == "sftp":
        user = site.rear.sftp_user
        told = run.everywhere("account for images", lambda shell: _look_at_account(shell, user), [backup_node])
        run.refuse_if_any()
        return Preparation(store, backup_node, undercloud, site, None, findings=told[backup_node.name])
    checked = run.everywhere("versions", lambda shell: read_versions(shell, ANSIBLE), [undercloud])
    run.checks += [check for name, seen in checked.items() for check in check_versions(name, seen, ANSIBLE)]
    roles = run.everywhere("role of the backup", lambda shell: find_role(shell, site.rear.roles_path), [undercloud])
    rear = site.rear
    keys = run.everywhere(
        "Ansible's key", lambda shell: read_public_key(shell, rear.ansible_user, rear.ansible_key), [undercloud]
    )
    zone = str(rear.variables.get(_ZONE, _ROLES_ZONE))
    run.everywhere("firewall", lambda shell: _check_zone(shell, zone), [backup_node])
    run.refuse_if_any()
    role = roles[undercloud.name]
    files = playbook_files(
        NAME,
        site,
        {_GROUP: [backup_node]},
        ("bar_nfs_setup.yaml", "Setup NFS server for ReaR", role),
        variables(site, store, {"output_url": nfs_url(store), "backup_url": nfs_url(store)}),
    )
    playbook = PlaybookRun(files, (backup_node.name,), TAG, rear.roles_path, request.role_timeout_s)
    run.checks.append(Check("role of the backup", undercloud.name, role))
    outside = tuple(
        f"{name} ({address}) is in none of nfs_clients: it may mount the store only from another address of its own"
        for name, address in _control_plane(site).items()
        if nfs_server.outside(address, rear.nfs_clients)
    )
    return Preparation(store, backup_node, undercloud, site, playbook, keys[undercloud.name], outside, request.again)


def _control_plane(site: Site) -> dict[str, str]:
    return {host.name: host.address for host in site.control_plane() if host.name != site.backup_node}


_FIND_ZONE = """
firewall-cmd --state >/dev/null 2>&1 || exit 0
firewall-cmd --permanent --get-zones
"""


def _check_zone(shell: Shell, zone: str) -> None:
    """The role opens ports in a zone that not every host has, and fails half way where it is not there.

    Raises:
        HostError: firewalld runs without that zone.
    """
    zones = shell.run(script(_FIND_ZONE, quiet=True, changes=False)).stdout.split()
    if zones and zone not in zones:
        raise HostError(
            shell.name,
            f"firewalld has no zone {zone}, in which the role opens the ports; it has {', '.join(zones)}",
            f"name one of these as {_ZONE} in [rear.variables] of the site file",
        )


_NO_SHELL = ("nologin", "false")


def _look_at_account(shell: Shell, user: str) -> tuple[str, ...]:
    """Look at the account that takes images.

    Returns:
        What the operator should know of it.

    Raises:
        HostError: There is no such account.
    """
    said = shell.run(question("getent", "passwd", user, ok=(0, 2)))
    if said.exit_code:
        raise HostError(
            shell.name,
            f"there is no account {user}, which is to take images by SFTP",
            f"make it there: `useradd --create-home --shell /sbin/nologin {user}`; or name another one as sftp_user in [rear] of "
            "the site file",
        )
    login = said.text.rpartition(":")[2]
    if login.endswith(_NO_SHELL):
        return ()
    # SFTP reaches the account's own authorized_keys, in which its restriction stands.
    return (
        f"{shell.name}: {user} has the shell {login}, which a node could open with its key: "
        f"`usermod --shell /sbin/nologin {user}`; SFTP needs none",
    )


_MAKE_FOLDER = 'install -d -m 711 "$1"; install -d -m 700 -o "$3" -g "$(id -g "$3")" "$2"'


def make_image_folder(store: BackupStore, user: str) -> Change:
    """Make the folder for images by SFTP, which belongs to its account alone; that must get to it.

    Args:
        store: The store.
        user: The account.
    """
    folder = sftp.image_folder(store.path)

    def look(shell: Shell) -> str:
        asked = question("sudo", "-n", "-u", user, "test", "-w", folder, ok=(0, 1))
        return "not writable" if shell.run(asked).exit_code else _WRITABLE

    hint = f"{user} must get through to it: `chmod o+x` the directories above"
    return Change(
        (script(_MAKE_FOLDER, store.path, folder, user, says=f"make {folder} for {user}"),),
        already=lambda shell: shell.run(question("stat", "-c", "%a %U", folder, ok=(0, 1))).text == f"700 {user}",
        until=Wait(f"{folder} for {user}", _WRITABLE, look, 10, hint),
    )
