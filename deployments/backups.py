"""`python -m deployments backups`: what is on a site's backup store, as an operator reads it.

The store is read over SSH, with pinned keys, as runbooks do. No Prefect server is needed where the site's file is named.
"""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prefect.exceptions import ObjectNotFound

from blocks.remote.errors import RunbookError
from blocks.site import BACKUP_NODE, Site
from blocks.site_file import SiteFileError, read_site
from deployments.backup_texts import problems_of
from deployments.client import server_client
from deployments.documents import sites_on
from deployments.errors import ConfigurationError
from tasks.backup import removal
from tasks.backup.catalogue import Catalogue
from tasks.backup.freshness import too_old
from tasks.backup.records import Pinned, Unpinned, Verified, pin_of
from tasks.backup.store import Store

_VERIFY = "verify-backup/verify-backup"
_ASK_EVERY_S = 3.0


def load_site(named: str | None) -> Site:
    """Load a site.

    Args:
        named: Its name, or its file; None: the only one that the server knows.

    Raises:
        ConfigurationError: There is no such site or file; or the server knows several, and none was named.
        ServerError: The server does not answer.
    """
    if named is not None and (named.endswith(".toml") or "/" in named):
        try:
            return read_site(Path(named))
        except SiteFileError as error:
            raise ConfigurationError(str(error).splitlines()) from error
    with server_client() as client:
        known = sorted(sites_on(client))
    if named is None and len(known) != 1:
        said = f"the server knows {', '.join(known)}: name one with --site" if known else "the server knows no site"
        raise ConfigurationError([f"{said}; --site FILE needs no server"])
    name = named or known[0]
    if name not in known:
        raise ConfigurationError([f"the server knows no site {name!r}; it knows {', '.join(known) or 'none'}"])
    site = Site.load(name)
    assert isinstance(site, Site)
    return site


@contextmanager
def open_store(site: Site) -> Iterator[Store]:
    """Reach a site's store.

    Raises:
        ConfigurationError: The site has none.
    """
    if site.store is None:
        raise ConfigurationError(
            [f"site {site.site} has no store: write a section [store] into its file, and apply it"]
        )
    shell = site.shell(site.named(BACKUP_NODE))
    try:
        yield Store(shell, site.store, site.site)
    finally:
        shell.close()


@dataclass(frozen=True)
class Verification:
    """How a run of verify-backup has ended.

    Attributes:
        completed: Whether it came to its end and found nothing.
        said: How it ended, in a sentence.
        differences: What it put on record.
    """

    completed: bool
    said: str
    differences: tuple[str, ...]


def verify(store: Store, backup: str, tell: Callable[[str], object]) -> Verification:
    """Run verify-backup by a worker, and wait for its end.

    Args:
        store: The store, afterwards asked for what the run has put on record.
        backup: The runbook's parameter.
        tell: Gets a sentence once the run is on its way.

    Raises:
        ConfigurationError: The server has no such deployment.
        ServerError: The server does not answer.
    """
    parameters = {"site": store.site, "backup": backup}
    with server_client() as client:
        try:
            deployment = client.read_deployment_by_name(_VERIFY)
        except ObjectNotFound as error:
            raise ConfigurationError(["the server does not know verify-backup: `apply` a site"]) from error
        run = client.create_flow_run_from_deployment(deployment.id, parameters=parameters)
        tell(f"verify-backup on {store.site} is on its way: flow run {run.name}")
        while run.state is None or not run.state.is_final():
            time.sleep(_ASK_EVERY_S)
            run = client.read_flow_run(run.id)
    said = run.state.message or run.state.name or ""
    if run.state.is_completed():
        return Verification(True, said, ())
    try:
        sets = store.catalogue().sets
    except RunbookError as error:  # then the run could not read it either, and has said why
        return Verification(False, f"{said}\n{error}", ())
    differences = tuple(
        f"{stored.name}: {record.database}: {difference}"
        for stored in sets
        for record in stored.records
        if isinstance(record, Verified) and record.run_id == run.id
        for difference in record.differences
    )
    return Verification(False, said, differences)


def pin(store: Store, set_id: str, why: str, until: datetime | None, by: str = "") -> str:
    """Let a set stay whatever the policy says.

    Args:
        store: The store.
        set_id: The set's id, or the beginning of its stamp.
        why: What for.
        until: Until when (UTC); None until it is unpinned.
        by: Who; empty for who is logged in.

    Returns:
        What was done, in a sentence.

    Raises:
        RunbookError: There is no such set, or several.
    """
    name = store.catalogue().find(set_id).name
    store.record(name, Pinned(at=_now(), by=by or getpass.getuser(), why=why, until=until))
    return f"{name} stays" + (f" until {until:%Y-%m-%d %H:%M} UTC" if until else "")


def unpin(store: Store, set_id: str, by: str = "") -> str:
    """Let the policy decide of a set again; returns what was done, in a sentence.

    Raises:
        RunbookError: There is no such set, or several; it is not pinned.
    """
    stored = store.catalogue().find(set_id)
    if pin_of(stored.records) is None:
        raise RunbookError(f"{stored.name} is not pinned")
    store.record(stored.name, Unpinned(at=_now(), by=by or getpass.getuser()))
    return f"{stored.name} is not pinned any more"


def forget(store: Store, set_id: str, why: str, by: str = "") -> str:
    """Let the catalogue know that a set is gone which no run has removed; returns what was done, in a sentence.

    Raises:
        RunbookError: There is no such set, or several; it is there.
    """
    stored = store.catalogue().find(set_id)
    removal.forget(store, stored, f"{why} ({by or getpass.getuser()})", _now())
    return f"{stored.name} is out of the catalogue"


def notes(store: Store, catalogue: Catalogue) -> list[str]:
    """What an operator must know besides the sets themselves: what is wrong, half done, or too old."""
    return [*problems_of(catalogue), *ages(store, catalogue)]


def ages(store: Store, catalogue: Catalogue) -> list[str]:
    """Of which kind the newest verified backup is too old, or none is verified; a sentence for each."""
    return too_old(catalogue.sets, _now(), timedelta(hours=store.settings.max_age_h))


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
