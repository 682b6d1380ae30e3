"""`python -m deployments`: make a Prefect server hold this project, or start one; read a site's backups."""

import argparse
import sys
from pathlib import Path

from deployments import backups_command
from deployments.project import PROJECT

_APPLY = """\
Make the Prefect server hold what the site files and prefect.yaml say:

  the work pool `runbooks`, of type process
  for each site: the lock `runbook-SITE` (a global concurrency limit of 1), the block
    `openstack-site/SITE`, and SITE-ssh, SITE-database, SITE-store, SITE-cloud, which it refers to
  every deployment of prefect.yaml

What the server holds already is left as it is, so running it again changes nothing. Nothing is
deleted. No host is contacted, and no key or password is read: blocks hold paths and names only.
Deployments offer the sites that the server knows for their parameter `site`, and a run with another
name is refused. While there is exactly one it is the default; with two, every run has to name one.
Apply again after a site was deleted, so that it is offered no more. What prefect.yaml schedules is
scheduled for each site, backups for those with a [store]; what was switched off stays off.

Host keys are wanted for the database's hosts, those that may hold its virtual IP address (groups
haproxy and Controller), the undercloud, the backup node and the jump host. Other hosts without one
are told by role: a runbook that is told to work on them will refuse.
"""
_EXIT_CODES = """\
exit codes: 0 all is as the files say (or, with --dry-run, was compared); 1 the server does not
answer or refuses; 2 a file or an argument can't be used, and nothing was changed
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deployments", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    raw = argparse.RawDescriptionHelpFormatter
    apply = commands.add_parser(
        "apply",
        help="apply site files and prefect.yaml to the server",
        description=_APPLY,
        epilog=_EXIT_CODES,
        formatter_class=raw,
    )
    apply.add_argument(
        "--site",
        dest="sites",
        metavar="FILE",
        type=Path,
        action="append",
        required=True,
        help="site file (TOML, see deployments/sites/example.toml); may be given more than once",
    )
    apply.add_argument("--dry-run", action="store_true", help="say what would be changed, and change nothing")
    apply.add_argument("--prefect-file", metavar="FILE", type=Path, default=PROJECT / "prefect.yaml")
    server = commands.add_parser("server", help="be the Prefect server, on loopback (until interrupted)")
    server.add_argument("--port", type=int, help="default: the port of prefect.toml")
    commands.add_parser("worker", help="be a worker of the work pool `runbooks` (until interrupted)")
    backups_command.add_to(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    if options.command == "apply":
        return _apply(options.sites, options.prefect_file, options.dry_run)
    if options.command == "backups":
        return backups_command.run(options)
    # Prefect takes seconds to import, and the server and the worker do so for themselves.
    from deployments import processes

    return processes.become_server(options.port) if options.command == "server" else processes.become_worker("runbooks")


def _apply(sites: list[Path], prefect_file: Path, dry_run: bool) -> int:
    from deployments.apply import apply
    from deployments.changes import Notice
    from deployments.errors import ConfigurationError, ServerError

    try:
        for seen in apply(sites, prefect_file.resolve(), dry_run):
            if isinstance(seen, Notice):
                print(f"note: {seen.text}", file=sys.stderr, flush=True)
            else:
                print(seen.line(dry_run), flush=True)
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 2
    except ServerError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
