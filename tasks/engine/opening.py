"""Opening a runbook's run: its site, its locks, and what is written and let go of at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from uuid import UUID

from prefect.runtime import flow_run

from blocks.remote.errors import Refused, RunbookError
from blocks.remote.secrets import install_mask, mask
from blocks.site import Site
from tasks.engine.journal import Journal, now
from tasks.engine.locks import Heart, locked
from tasks.engine.report import publish
from tasks.engine.run import Runbook


@contextmanager
def runbook(name: str, site: str, role: Callable[[Site], str] | None, dry_run: bool) -> Iterator[Runbook]:
    """Open a run: load the site, take the locks, and at the end write the report and let go of everything.

    Args:
        name: The runbook's name.
        site: The site's name.
        role: Which inventory group it works on; None for the cloud's API alone.
        dry_run: Take no lock, change nothing.

    Yields:
        The run. A lock that is taken is a reason in `reasons`, to be told together with preflight's.

    Raises:
        RunbookError: The site, or its role, is unknown; and whatever the runbook raises.
    """
    install_mask()
    where = load_site(site)
    try:
        hosts = where.hosts_with(role(where)) if role else []
    except LookupError as unknown:
        raise RunbookError(
            str(unknown),
            "name a group of the site's inventory: in the site file ([database] role) for restore-galera, as the parameter "
            "`role` for other runbooks",
        ) from unknown
    run_id = str(flow_run.id)
    journal = Journal(runbook=name, site=site, run_id=run_id, started=now())
    book = Runbook(name, where, hosts, dry_run, journal, {host.name: where.shell(host) for host in hosts})
    book.cloud = where.cloud.client() if where.cloud else None
    outcome, error = "completed", ""
    with ExitStack() as stack:
        stack.callback(book.let_go)
        for shell in book.shells.values():
            stack.callback(shell.close)
        if book.cloud is not None:
            stack.callback(book.cloud.close)
        try:
            if not dry_run:
                book.heart = _locks(book, stack, f"{name} on {site}, flow run {flow_run.name} ({run_id})")
            yield book
            outcome = "dry run" if dry_run else "completed"
        except Refused as refusal:
            outcome, error = "refused", str(refusal)
            raise
        except Exception as failure:
            outcome, error = "failed", _with_force(failure, book.journal)
            if isinstance(failure, RunbookError):
                raise RunbookError(mask(error)) from failure
            raise
        finally:
            # A signal (cancel, crash) leaves the report to the hooks, which read the journal in a process of their own.
            if outcome != "completed" or book.journal.finished:
                publish(book.journal, outcome, error, book.facts, book.plan if outcome == "dry run" else "")


def _locks(book: Runbook, stack: ExitStack, holder: str) -> Heart | None:
    try:
        return stack.enter_context(locked(book.site.site, UUID(str(flow_run.id)), holder, list(book.shells.values())))
    except RunbookError as error:
        # An unreachable host can't be locked: preflight says so too, with all else that is wrong.
        book.reasons.append(str(error))
        return None


def _with_force(failure: Exception, journal: Journal) -> str:
    """The error, with what stands and where the old data is."""
    said = str(failure) if isinstance(failure, RunbookError) else f"{type(failure).__name__}: {failure}"
    lines = [said, *(f"STILL IN FORCE: {sentence}" for sentence in journal.in_force.values())]
    lines += [f"KEPT: {what}: {where}" for what, where in journal.kept.items()]
    return "\n".join(lines)


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
