"""What preflight looks at: the undercloud's Ansible and role, its way to the nodes, and the nodes themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from blocks.remote.command import script
from blocks.remote.errors import HostError, RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD, Site
from blocks.store import BackupStore
from tasks.ansible.files import known_hosts_text
from tasks.ansible.playbook import PlaybookRun
from tasks.ansible.role import ANSIBLE, check_access, find_role
from tasks.ansible.site_role import nfs_url, node_of, playbook_files, variables
from tasks.engine.run import Run
from tasks.node.versions import Range, check_versions, read_versions
from tasks.rear import sftp
from tasks.rear.ceph_scripts import has_monitor
from tasks.rear.configuration import NETWORK, has_block
from tasks.rear.firmware import booted_by_uefi, missing_programs
from tasks.rear.network import NetworkSetUp, read_network
from tasks.rear.schedules import read_crontab
from tasks.rear.settings import Wanted
from tasks.runbooks.install_rear.request import NAME, TAG, Installation, NodeState, Request

# RHEL 8.2 has 2.4. Where it is not there yet, the role installs it.
REAR = (Range("ReaR", (2, 4), (2, 7), ("rear", "--version"), missing=True),)
_STORE, _NODE = "store of the images", "node"
# From here on ReaR 2.7 refuses to put a file into an ISO, and older ones may write one that can't be read.
_ISO_FILE_LIMIT = 2 * 1024**3
_INSIDE = "iso:///backup/"
# The role has each node ask the SFTP server for its host keys, by up to five connections at once, and fails where one is dropped.
# Of more than ten that have not logged in yet sshd drops some (MaxStartups).
_AT_ONCE = 2


def look(run: Run, request: Request) -> Installation:
    """Look at the undercloud and at every node, and refuse with the complete list.

    Args:
        run: The run.
        request: What it was asked for.

    Raises:
        RunbookError: The site names no store; a role has no host.
        Refused: With every reason; a node that is down is one (BZ#2077335).
    """
    site, store = run.site, run.site.store
    if store is None:
        raise RunbookError(f"site {site.site} has no store", "write a section [store] into its site file, and apply it")
    undercloud = run.shells[site.named(UNDERCLOUD).name]
    backup_node = run.shells[site.named(BACKUP_NODE).name] if store.kind == "sftp" else None
    groups = _groups(run, request.roles)
    nodes = tuple({shell.name: shell for shells in groups.values() for shell in shells}.values())
    known_hosts = known_hosts_text(
        site.ssh.known_hosts, [site.hosts[node.name] for node in nodes if node.name != undercloud.name], site.ssh.port
    )
    roles = _look_at_undercloud(run, undercloud, nodes, known_hosts)
    states = run.everywhere(_NODE, lambda shell: _look_at_node(shell, site, store), nodes)
    crontabs = run.everywhere("crontab", lambda shell: read_crontab(shell, site.rear.ansible_user), [undercloud])
    pinned = "" if backup_node is None else known_hosts_text(site.ssh.known_hosts, [store.host], site.ssh.port)
    run.refuse_if_any()
    urls = urls_of(site, store)
    title = (
        "Installing and configuring ReaR on the undercloud node",
        "Install and configuring ReaR on the control plane nodes",
    )
    on_undercloud = list(request.roles) == [UNDERCLOUD]
    files = playbook_files(
        NAME,
        site,
        groups,
        (f"bar_rear_setup-{'undercloud' if on_undercloud else 'controller'}.yaml", title[not on_undercloud], roles),
        variables(site, store, urls),
    )
    return Installation(
        site=site,
        store=store,
        undercloud=undercloud,
        backup_node=backup_node,
        nodes=nodes,
        states=states,
        wanted={name: _wanted(state, urls, files.digest, store.kind) for name, state in states.items()},
        run=PlaybookRun(
            files,
            tuple(node.name for node in nodes),
            TAG,
            site.rear.roles_path,
            request.role_timeout_s,
            at_once=_AT_ONCE if store.kind == "sftp" else None,
        ),
        crontab=tuple(crontabs[undercloud.name]),
        request=request,
        sftp_known_hosts=pinned,
    )


def _groups(run: Run, roles: Sequence[str]) -> dict[str, list[Shell]]:
    """Group of the inventory → its hosts.

    Raises:
        RunbookError: One has none: Ansible would pass it over without a word.
    """
    groups = {}
    for role in roles:
        hosts = run.site.select([role])
        if not hosts:
            raise RunbookError(
                f"site {run.site.site} has no host with role {role}", "see the site's inventory, and `roles`"
            )
        # A group may not have its host's name.
        groups["Undercloud" if role == UNDERCLOUD else role] = [run.shells[host.name] for host in hosts]
    return groups


def _look_at_undercloud(run: Run, undercloud: Shell, nodes: Sequence[Shell], known_hosts: str) -> str:
    """Returns the role's name; empty where it is not there."""
    rear, site = run.site.rear, run.site
    seen = run.everywhere("versions", lambda shell: read_versions(shell, ANSIBLE), [undercloud])
    run.checks += [check for name, said in seen.items() for check in check_versions(name, said, ANSIBLE)]
    roles = run.everywhere("role of the backup", lambda shell: find_role(shell, rear.roles_path), [undercloud])
    reached = [node_of(site, site.host(node.name)) for node in nodes]
    access = run.everywhere(
        "Ansible's access",
        lambda shell: check_access(shell, reached, known_hosts, rear.ansible_user, rear.ansible_key, site.ssh.port),
        [undercloud],
    )
    run.checks += [check for checks in access.values() for check in checks]
    return roles.get(undercloud.name, "")


def _look_at_node(shell: Shell, site: Site, store: BackupStore) -> NodeState:
    """Look at one node.

    Raises:
        HostError: It can't reach the store, or lacks what the role does not bring.
    """
    for check in check_versions(shell.name, read_versions(shell, REAR), REAR):
        if not check.ok:
            raise HostError(shell.name, check.reason, check.hint)
    if store.kind == "nfs":
        _check_nfs(shell, store.host)
    elif site.rear.archive == "beside":
        _check_sshfs(shell)
    else:
        _check_size(shell)
    own = site.rear.networking.get(shell.name)
    network = read_network(shell) if own is None else NetworkSetUp(tuple(own))
    return NodeState(
        booted_by_uefi(shell), network.commands, network.findings, has_block(shell, NETWORK), has_monitor(shell)
    )


_REACH = 'exec 3<>"/dev/tcp/$1/2049"'


def _check_nfs(shell: Shell, server: str) -> None:
    """Raises HostError: The node does not reach the NFS server."""
    said = shell.run(script(_REACH, server, ok=tuple(range(256)), timeout_s=10, quiet=True, changes=False))
    if said.exit_code:
        raise HostError(
            shell.name,
            f"it does not reach an NFS server on {server}, port 2049",
            "start prepare-backup-node first; see the firewalls, and `host` of [store] in the site file",
        )


def _check_sshfs(shell: Shell) -> None:
    """Raises HostError: ReaR could not write the archive beside the ISO."""
    if missing_programs(shell, "sshfs"):
        raise HostError(
            shell.name,
            "it has no sshfs, by which ReaR puts the archive beside the ISO",
            "install it there (RHEL 8: fuse-sshfs of CodeReady Linux Builder), or store images by NFS",
        )


_USED = "df --output=used -B 1 -l -x tmpfs -x devtmpfs -x overlay | tail -n +2"


def _check_size(shell: Shell) -> None:
    """Raises HostError: The archive may be larger than what an ISO takes."""
    used = sum(int(line) for line in shell.run(script(_USED, quiet=True, changes=False)).stdout.split())
    if used >= _ISO_FILE_LIMIT:
        raise HostError(
            shell.name,
            f"its file systems hold {used / 2**30:.1f} GiB, and from 2 GiB on an archive inside the ISO is refused by ReaR 2.7, "
            "and may be corrupt before",
            'write archive = "beside" into [rear] of the site file',
        )


def urls_of(site: Site, store: BackupStore) -> dict[str, str]:
    """Where ISO and archive go.

    Args:
        site: The site.
        store: Its store.
    """
    if store.kind == "nfs":
        return {"output_url": nfs_url(store), "backup_url": nfs_url(store)}
    user, folder = site.rear.sftp_user, sftp.image_folder(store.path)
    beside = sftp.archive_url(user, store.host, folder)
    return {
        "output_url": sftp.output_url(user, store.host, folder),
        "backup_url": beside if site.rear.archive == "beside" else _INSIDE,
    }


def _wanted(state: NodeState, urls: Mapping[str, str], digest: str, kind: str) -> Wanted:
    copied = (sftp.CONFIG,) if kind == "sftp" else ()
    return Wanted(urls["output_url"], urls["backup_url"], state.uefi, state.networking, digest, copied)
