"""The site of a run, and the hosts of it that a runbook works on."""

from __future__ import annotations

from collections.abc import Sequence

from blocks.remote.errors import RunbookError
from blocks.site import Host, Site, UnknownTarget


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


def hosts_of(site: Site, roles: Sequence[str], without: Sequence[str] = ()) -> list[Host]:
    """The hosts that a runbook works on, each once, in the order of the roles.

    Args:
        site: The site.
        roles: Groups of the inventory; `undercloud` and `backup node` are hosts that the site names. The first host of the
            first one keeps the journal.
        without: Hosts that are left out.

    Raises:
        RunbookError: The site has no such group or named host, or none that is to be left out; or there is no host in the first
            group.
    """
    try:
        left_out = {site.host(name).name for name in without}
        hosts, of_the_first = (
            [host for host in site.select(some) if host.name not in left_out] for some in (roles, roles[:1])
        )
    except UnknownTarget as unknown:
        raise RunbookError(
            str(unknown),
            "a group of the inventory is named in the site file ([database] role) for restore-galera, and as the parameter "
            "`role` for other runbooks",
        ) from unknown
    if not of_the_first:
        # A host of another role must not come first: it would keep a journal that no other run finds.
        raise RunbookError(f"site {site.site} has no host with role {', '.join(roles[:1])}", "see the site's inventory")
    return hosts
