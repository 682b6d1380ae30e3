"""Applying site files and prefect.yaml to a Prefect server."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient

from blocks.keys import KeyFileError
from blocks.site import Site
from blocks.site_file import SiteFileError, read_site, unpinned_roles
from deployments.changes import Change, Notice
from deployments.client import server_client
from deployments.documents import ensure_block_types, ensure_site, sites_on
from deployments.errors import ConfigurationError
from deployments.flow_deployments import ensure_deployment, load_flow
from deployments.prefect_yaml import DeploymentEntry, read_prefect_yaml
from deployments.server_objects import ensure_lock, ensure_work_pool


def read_sites(files: Sequence[Path]) -> list[Site]:
    """Read site files, all of them before any is refused.

    Raises:
        ConfigurationError: with every problem of every file, or if two files name the same site.
    """
    sites: dict[str, Site] = {}
    problems: list[str] = []
    for file in files:
        try:
            site = read_site(file)
        except SiteFileError as error:
            problems += str(error).splitlines()
            continue
        if site.site in sites:
            problems.append(f"{file}: name: {site.site!r} is the name of another site file too")
        sites[site.site] = site
    if problems:
        raise ConfigurationError(problems)
    return list(sites.values())


def apply(files: Sequence[Path], prefect_yaml: Path, dry_run: bool = False) -> Iterator[Change | Notice]:
    """Make the server hold what the files say; what it holds already is left alone.

    All files are read, and all flows loaded, before the server is touched.

    Args:
        files: Site files.
        prefect_yaml: The file of the deployments.
        dry_run: Only compare.

    Yields:
        What should be known of the sites; then each object and what became of it.

    Raises:
        ConfigurationError: for a file that can't be used; nothing was changed.
        ServerError: if the server does not answer or refuses.
    """
    sites = read_sites(files)
    entries = read_prefect_yaml(prefect_yaml)
    for entry in entries:
        load_flow(prefect_yaml, entry)
    yield from _notices(sites)
    with server_client() as client:
        yield from _apply(client, sites, entries, prefect_yaml, dry_run)


def _apply(
    client: SyncPrefectClient, sites: list[Site], entries: list[DeploymentEntry], prefect_yaml: Path, dry_run: bool
) -> Iterator[Change]:
    yield ensure_work_pool(client, dry_run)
    yield from ensure_block_types(client, dry_run)
    for site in sites:
        yield ensure_lock(client, site.site, dry_run)
        yield from ensure_site(client, site, dry_run)
    known = sites_on(client) | {site.site: site.store is not None for site in sites}
    for entry in entries:
        yield ensure_deployment(client, prefect_yaml, entry, known, dry_run)


def _notices(sites: list[Site]) -> Iterator[Notice]:
    for site in sites:
        try:
            text = unpinned_roles(site)
        except KeyFileError as error:
            raise ConfigurationError([f"site {site.site}: {error}"]) from error
        if text:
            yield Notice(text)
