"""The arguments of `python -m deployments backups`, and what is done with them."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.backup.store import Store

_ABOUT = """\
Read the backup store of a site over SSH, with the keys that its site file pins, as runbooks do.

A backup counts once it was restored somewhere and compared: STATE says so, and how long the restore
took. Backups go by the site's retention policy (prune-backups); one that is pinned stays.
"""
_EXIT_CODES = """\
exit codes: 0 done; 1 the store or the server can't be reached, or there is no such backup; 2 an
argument or a site file can't be used; 3 (list, show, verify) something is wrong with a backup or the
catalogue; 4 (verify) nothing can be said of the backup, since the run did not come to its end; 5 (list)
the newest verified backup of some kind is too old, or none is verified: a night was missed
"""
DAMAGED = 3
UNKNOWN = 4
TOO_OLD = 5


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of `python -m deployments`."""
    raw = argparse.RawDescriptionHelpFormatter
    about = {"description": _ABOUT, "epilog": _EXIT_CODES, "formatter_class": raw}
    backups = commands.add_parser("backups", help="list, show, verify and pin a site's backups", **about)  # type: ignore[arg-type]
    kinds = backups.add_subparsers(dest="what", required=True)

    def add(name: str, says: str, one: bool = True) -> argparse.ArgumentParser:
        parser = kinds.add_parser(name, help=says, description=f"{says[0].upper()}{says[1:]}.", epilog=_EXIT_CODES)
        parser.add_argument("--site", metavar="NAME|FILE", help="default: the only site that the server knows")
        if one:
            parser.add_argument("backup", metavar="BACKUP", help="its id, or the beginning of its time: 2026-11-27T01")
        return parser

    listing = add("list", "list all backups, the latest first", one=False)
    showing = add("show", "show what is in a backup, and what is on record of it")
    showing.add_argument("--sums", action="store_true", help="read all of its files, and compare their checksums")
    for parser in (listing, showing):
        parser.add_argument("--json", action="store_true", help="for programs")
    verifying = add(
        "verify", "restore a backup somewhere and compare it: run verify-backup, and wait for it", one=False
    )
    verifying.add_argument(
        "backup", metavar="BACKUP", nargs="?", default="latest", help="as above; or latest (default), latest-unverified"
    )
    pinning = add("pin", "let a backup stay, whatever the retention policy says")
    pinning.add_argument("--why", default="", help="what for")
    pinning.add_argument(
        "--until", type=_utc, metavar="YYYY-MM-DD[THH:MM]", help="in UTC; default: until it is unpinned"
    )
    unpinning = add("unpin", "let the retention policy decide of a backup again")
    forgetting = add("forget", "let the catalogue know that a backup is gone which no run has removed")
    forgetting.add_argument("--why", required=True, help="what became of it")
    for parser in (pinning, unpinning, forgetting):
        parser.add_argument("--by", default="", metavar="NAME", help="who says so; default: who is logged in")


def _utc(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date") from None
    if moment.utcoffset() not in (None, timedelta(0)):
        raise argparse.ArgumentTypeError(f"{text!r} is not in UTC")
    return moment.replace(tzinfo=UTC)


def run(options: argparse.Namespace) -> int:
    """Do what was asked for.

    Returns:
        The exit code.
    """
    from blocks.remote.errors import RunbookError
    from deployments.backups import load_site, open_store
    from deployments.errors import ConfigurationError, ServerError

    does: dict[str, Callable[[Store, argparse.Namespace], int]] = {
        "list": _list,
        "show": _show,
        "verify": _verify,
        "pin": _pin,
        "unpin": _unpin,
        "forget": _forget,
    }
    try:
        with open_store(load_site(options.site)) as store:
            return does[options.what](store, options)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    except (RunbookError, ServerError) as error:
        print(error, file=sys.stderr)
        return 1


def _list(store: "Store", options: argparse.Namespace) -> int:
    from deployments.backup_texts import list_text
    from deployments.backups import ages, notes

    catalogue = store.catalogue()
    print(list_text(catalogue, notes(store, catalogue), options.json))
    damaged = catalogue.problems or catalogue.unlisted or any(stored.problem for stored in catalogue.sets)
    return DAMAGED if damaged else TOO_OLD if catalogue.sets and ages(store, catalogue) else 0


def _show(store: "Store", options: argparse.Namespace) -> int:
    from deployments.backup_texts import show_text

    stored = store.catalogue().find(options.backup)
    manifest = store.manifest(stored)
    print(show_text(stored, manifest, options.json))
    wrong = store.check_files(stored.name, manifest, sums=options.sums)
    for problem in wrong:
        print(problem, file=sys.stderr)
    return DAMAGED if wrong or stored.problem else 0


def _verify(store: "Store", options: argparse.Namespace) -> int:
    from deployments.backups import verify

    verified = verify(store, options.backup, lambda started: print(started, file=sys.stderr, flush=True))
    for difference in verified.differences:
        print(difference)
    print(verified.said)
    return DAMAGED if verified.differences else 0 if verified.completed else UNKNOWN


def _pin(store: "Store", options: argparse.Namespace) -> int:
    from deployments.backups import pin

    print(pin(store, options.backup, options.why, options.until, options.by))
    return 0


def _unpin(store: "Store", options: argparse.Namespace) -> int:
    from deployments.backups import unpin

    print(unpin(store, options.backup, options.by))
    return 0


def _forget(store: "Store", options: argparse.Namespace) -> int:
    from deployments.backups import forget

    print(forget(store, options.backup, options.why, options.by))
    return 0
