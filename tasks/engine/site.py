"""The site of a run, and the hosts of it that a runbook works on."""

from __future__ import annotations

from collections.abc import Sequence

from blocks.remote.errors import RunbookError
from blocks.site import Host, Site


def load_site(name: str) -> Site:
    """Load a site's block.

    Raises:
        RunbookError: There is none of that name.
    """
    try:
        loaded = Site.load(name)
    except ValueError as error:
        raise RunbookError(
            f"the Prefect server knows no site {name!r}",
            "apply its site file: `python -m deployments apply --site FILE`; `prefect block ls` lists those it knows",
        ) from error
    assert isinstance(loaded, Site)
    return loaded


def hosts_of(site: Site, roles: Sequence[str]) -> list[Host]:
    """The hosts of some groups of the inventory, each once, in the order of the groups.

    Raises:
        RunbookError: The inventory has no such group; or none of them has a host.
    """
    try:
        hosts = {host.name: host for role in roles for host in site.hosts_with(role)}
    except LookupError as unknown:
        raise RunbookError(
            str(unknown),
            "name a group of the site's inventory: in the site file ([database] role) for restore-galera, as the parameter "
            "`role` for other runbooks",
        ) from unknown
    if not hosts:
        raise RunbookError(f"site {site.site} has no host with role {', '.join(roles)}", "see the site's inventory")
    return list(hosts.values())
