"""The lab's command line: `python -m tests.lab`."""

import argparse
import subprocess
import sys

from tests.lab.floors import FLOORS
from tests.lab.lab import Lab
from tests.lab.processes import enter
from tests.lab.releases import DEFAULT_RELEASE, RELEASES
from tests.lab.settings import DEFAULT_SIZE_MB, HOSTS
from tests.lab.shell import LabError, bear_interrupts, interrupt_on_sigterm


def main(argv: list[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 for done, 1 for an error or (status) a lab that is not healthy, and of `exec` the command's.
    """
    options = _parser().parse_args(argv)
    lab = Lab()
    interrupt_on_sigterm()
    try:
        return _run(lab, options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        bear_interrupts()
        if options.command == "up":
            lab.down()
        print("lab: interrupted", file=sys.stderr)
        return 130


def _run(lab: Lab, options: argparse.Namespace) -> int:
    if options.command == "up":
        lab.up(options.size_mb, options.cache, release=options.release, floor=options.floor)
        print(f"site file: {lab.site}")
    elif options.command == "down":
        lab.down()
    elif options.command == "status":
        return _status(lab)
    elif options.command == "exec":
        words = options.words[1:] if options.words[:1] == ["--"] else options.words
        if not words:
            raise LabError("exec: which command?")
        if len(words) == 1:
            words = ["bash", "-c", words[0]]
        return subprocess.run(enter(lab.machines.host(options.host), words), check=False).returncode
    elif options.command == "kill":
        lab.kill(options.host)
    else:
        lab.start(options.host)
    return 0


def _status(lab: Lab) -> int:
    running = lab.machines.running()
    for name, host in HOSTS.items():
        print(f"{name:14} {host.address:16} {'on' if name in running else 'off'}")
    if not running:
        return 1
    if kind := lab.kind():
        print(kind)
    missing = lab.missing()
    print(f"not healthy: {missing}" if missing else f"healthy; VIP {lab.vip}; site file: {lab.site}")
    return 1 if missing else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab",
        description="A control plane in miniature on this machine: three controllers with a Galera cluster under "
        "Pacemaker, an undercloud and a backup host. Needs root, Debian 12 and a Debian mirror.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="make sure that a healthy lab is up")
    up.add_argument("--size-mb", type=int, help=f"size of the databases (default: as it is; new: {DEFAULT_SIZE_MB})")
    up.add_argument(
        "--release", choices=RELEASES, help=f"the Debian of its hosts (default: as it is; new: {DEFAULT_RELEASE})"
    )
    up.add_argument("--floor", choices=FLOORS, help="the old versions below which its hosts refuse (default: as it is)")
    up.add_argument("--no-cache", dest="cache", action="store_false", help="tear down, and build everything anew")
    commands.add_parser("status", help="tell which hosts are on and whether the cluster is healthy")
    execute = commands.add_parser("exec", help="run a command as root on a host, not over ssh")
    execute.add_argument("host", metavar="HOST", choices=HOSTS)
    execute.add_argument("words", metavar="CMD", nargs=argparse.REMAINDER, help="words, or one string for bash")
    for name, text in (("kill", "cut a host's power"), ("start", "switch a host on with the disk that it has")):
        commands.add_parser(name, help=text).add_argument("host", metavar="HOST", choices=HOSTS)
    commands.add_parser("down", help="end the lab and leave nothing of it but the cache")
    return parser


if __name__ == "__main__":
    sys.exit(main())
