"""Site files: the TOML that an operator writes for each site, read into blocks.

Paths in a site file are relative to the file.
"""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from blocks.bmc import BmcAccess
from blocks.cloud import CloudAccess
from blocks.constraints import Address, CleanupAfter, HostName, SiteName
from blocks.database import GaleraDatabase, UndercloudDatabase
from blocks.inventory import Inventory, InventoryError, UndercloudAddressMissing, is_loopback, read_inventory
from blocks.keys import KeyFileError, UnpinnedHost, check_private_key, hosts_without_key, keyscan_commands
from blocks.rear import RearSettings
from blocks.site import Site
from blocks.ssh import SSHAccess
from blocks.store import BackupStore

# What the backup node is called where the inventory does not have it.
_BACKUP_NODE = "backup-node"


class SiteFileError(Exception):
    """A site file that can't be used.

    Attributes:
        file: The site file.
        problems: All that is wrong with it, each as `[section] key: what`.
    """

    def __init__(self, file: Path, problems: list[str]) -> None:
        self.file = file
        self.problems = problems
        super().__init__("\n".join(f"{file}: {problem}" for problem in problems))


def _not_loopback(address: str) -> str:
    if is_loopback(address):
        raise ValueError("is the machine that connects; give the undercloud's address on the network")
    return address


class SiteFile(BaseModel):
    """What may stand in a site file."""

    model_config = ConfigDict(extra="forbid")

    name: SiteName = Field(description="Name of the site; runbooks take it as their parameter.")
    inventory: Path = Field(description="Static YAML file that tripleo-ansible-inventory wrote.")
    undercloud_address: Annotated[Address, AfterValidator(_not_loopback)] | None = Field(
        default=None, description="Address of the undercloud, which the inventory calls localhost."
    )
    ssh: SSHAccess = Field(description="How the hosts are reached.")
    database: GaleraDatabase = Field(default_factory=GaleraDatabase, description="The Galera database.")
    undercloud_database: UndercloudDatabase = Field(
        default_factory=UndercloudDatabase, description="The undercloud's database."
    )
    store: BackupStore | None = Field(default=None, description="Where backups are kept.")
    rear: RearSettings = Field(
        default_factory=RearSettings, description="How nodes are set up for images of them by ReaR."
    )
    bmc: dict[HostName, BmcAccess] = Field(
        default_factory=dict, description="How the BMCs of nodes are reached, by host."
    )
    cloud: CloudAccess | None = Field(default=None, description="The OpenStack API.")
    cleanup_after_s: CleanupAfter = Field(
        default=600, description="Seconds without a sign of a run until a host undoes by itself what must not stay."
    )


def read_site(file: Path) -> Site:
    """Read a site file, and check the files that it names.

    Every host that runbooks reach whatever they are asked for must have a pinned key; about the others `unpinned_roles`
    tells.

    Args:
        file: The TOML file.

    Returns:
        The site, with absolute paths; nothing is saved, and no host is contacted.

    Raises:
        SiteFileError: with everything that is wrong, each by its key.
    """
    content = _parse(file)
    folder = file.resolve().parent
    content.inventory = _absolute(content.inventory, folder)
    content.ssh.key = _absolute(content.ssh.key, folder)
    content.ssh.known_hosts = _absolute(content.ssh.known_hosts, folder)

    for bmc in content.bmc.values():
        bmc.password_file = _absolute(bmc.password_file, folder)

    problems = _key_problems(content.ssh) + _password_problems(content.bmc)
    inventory = _inventory(content, problems)
    site = _site(content, inventory, problems) if inventory else None
    if site:
        problems += _host_key_problems(site)
    if problems or site is None:
        raise SiteFileError(file, problems)
    return site


def unpinned_roles(site: Site) -> str:
    """Tell which roles have hosts without a pinned key, of those that are reached only when a runbook is told to.

    Returns:
        One sentence for the operator; empty if no key is missing.

    Raises:
        KeyFileError: if the file of host keys can't be read.
    """
    needed = site.control_plane()
    others = [site.host(name) for name in site.hosts if site.host(name) not in needed]
    missing = [each.host.name for each in hosts_without_key(site.ssh.known_hosts, others, site.ssh.port)]
    if not missing:
        return ""
    counts: dict[str, int] = {}
    for name in missing:
        role = _role_of(name, site)
        counts[role] = counts.get(role, 0) + 1
    listed = ", ".join(f"{_hosts(count)} of {f'role {role}' if role else 'no role'}" for role, count in counts.items())
    return (
        f"site {site.site}: {listed} without a key in {site.ssh.known_hosts}; a runbook that is told to work on them "
        "(set-telemetry-interval with such a `role`) will refuse"
    )


def _role_of(host: str, site: Site) -> str:
    """Return what an operator calls a host's role: TripleO capitalizes roles, and not the groups of services."""
    groups = [group for group, names in site.roles.items() if host in names]
    return next((group for group in groups if group[0].isupper()), next(iter(groups), ""))


def _hosts(count: int) -> str:
    return f"{count} host" if count == 1 else f"{count} hosts"


def _parse(file: Path) -> SiteFile:
    try:
        with file.open("rb") as stream:
            values = tomllib.load(stream)
        return SiteFile.model_validate(values)
    except OSError as error:
        raise SiteFileError(file, [f"can't be read: {error.strerror}"]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SiteFileError(file, [f"not valid TOML: {error}"]) from error
    except ValidationError as error:
        raise SiteFileError(file, _problems(error)) from error


def _problems(error: ValidationError) -> list[str]:
    """Word pydantic's errors for the reader of a site file; the values are left out."""
    return [f"{_key(problem['loc'])}: {_words(problem)}" for problem in error.errors(include_url=False)]


def _key(location: tuple[int | str, ...]) -> str:
    section, *rest = [str(part) for part in location]
    return f"[{section}] {'.'.join(rest)}" if rest else section


def _words(problem: Any) -> str:
    match problem["type"]:
        case "extra_forbidden":
            return "unknown key"
        case "missing":
            return "missing"
        case _:
            return str(problem["msg"]).removeprefix("Value error, ")


def _absolute(path: Path, folder: Path) -> Path:
    return folder / path.expanduser()


def _key_problems(ssh: SSHAccess) -> list[str]:
    try:
        check_private_key(ssh.key)
    except KeyFileError as error:
        return [f"[ssh] key: {error}"]
    return []


def _password_problems(bmcs: Mapping[str, BmcAccess]) -> list[str]:
    problems = []
    for host, bmc in bmcs.items():
        try:
            check_private_key(bmc.password_file)
        except KeyFileError as error:
            problems.append(f"[bmc.{host}] password_file: {error}")
    return problems


def _host_key_problems(site: Site) -> list[str]:
    ssh = site.ssh
    try:
        missing = hosts_without_key(ssh.known_hosts, site.control_plane(), ssh.port, ssh.jump_host)
    except KeyFileError as error:
        return [f"[ssh] known_hosts: {error}"]
    if not missing:
        return []
    return [
        f"[ssh] known_hosts: {ssh.known_hosts} has no key for {', '.join(str(each) for each in missing)}"
        f"{_unusable(missing)}. Add the keys with `{keyscan_commands(missing, ssh.known_hosts)}`, and compare each "
        "fingerprint (`ssh-keygen -lf`) with the one on the host's own console before you trust it"
    ]


def _unusable(missing: Iterable[UnpinnedHost]) -> str:
    """Word the lines that name such hosts and pin nothing: the operator may believe that they do."""
    lines = dict.fromkeys(line for each in missing for line in each.unusable)
    return f" ({'; '.join(lines)})" if lines else ""


def _inventory(content: SiteFile, problems: list[str]) -> Inventory | None:
    try:
        return read_inventory(content.inventory.read_text(encoding="utf-8"), content.undercloud_address)
    except OSError as error:
        problems.append(f"inventory: {content.inventory} can't be read: {error.strerror}")
    except UnicodeDecodeError:
        problems.append(f"inventory: {content.inventory} is not UTF-8 text")
    except UndercloudAddressMissing as error:
        problems.append(f"undercloud_address: {error}")
    except InventoryError as error:
        problems.append(f"inventory: {content.inventory}: {error}")
    return None


def _site(content: SiteFile, inventory: Inventory, problems: list[str]) -> Site | None:
    if content.database.role not in inventory.roles:
        known = ", ".join(sorted(inventory.roles))
        problems.append(f"[database] role: the inventory has no group {content.database.role!r}; it has {known}")
    hosts = dict(inventory.hosts)
    backup_node = _backup_node(content.store, hosts, problems)
    if strangers := content.ssh.users.keys() - hosts.keys():
        problems.append(f"[ssh] users: no host is called {', '.join(sorted(strangers))}")
        return None
    if content.store and content.store.drill_host not in {None, *hosts}:
        problems.append(f"[store] drill_host: no host is called {content.store.drill_host}")
        return None
    if strangers := content.rear.networking.keys() - hosts.keys():
        problems.append(f"[rear] networking: no host is called {', '.join(sorted(strangers))}")
        return None
    if strangers := content.bmc.keys() - hosts.keys():
        problems.append(f"[bmc] no host is called {', '.join(sorted(strangers))}")
        return None
    try:
        return Site(
            site=content.name,
            hosts=hosts,
            roles=inventory.roles,
            undercloud=inventory.undercloud,
            backup_node=backup_node,
            ssh=content.ssh,
            database=content.database,
            undercloud_database=content.undercloud_database,
            store=content.store,
            rear=content.rear,
            bmc=content.bmc,
            cloud=content.cloud,
            cleanup_after_s=content.cleanup_after_s,
        )
    except ValidationError as error:
        problems += [f"inventory: {content.inventory}: {problem}" for problem in _problems(error)]
        return None


def _backup_node(store: BackupStore | None, hosts: dict[str, str], problems: list[str]) -> str | None:
    """Return which host is the backup node; one that the inventory does not have is added to the hosts."""
    if store is None:
        return None
    if is_loopback(store.host):
        problems.append("[store] host: is the machine that connects; give the backup node's address on the network")
        return None
    for name, address in hosts.items():
        if store.host in (name, address):
            return name
    if _BACKUP_NODE in hosts:
        problems.append(
            f"[store] host: the inventory has a host {_BACKUP_NODE} at {hosts[_BACKUP_NODE]}, not at {store.host}; "
            "write the one that is meant"
        )
        return None
    hosts[_BACKUP_NODE] = store.host
    return _BACKUP_NODE
