"""The cloud's command line: `python -m tests.openstack`."""

import argparse
import subprocess
import sys

from tests.lab.shell import LabError, bear_interrupts, interrupt_on_sigterm
from tests.openstack.cloud import Cloud
from tests.openstack.faults import FAULTS
from tests.openstack.settings import CLOUD


def main(argv: list[str] | None = None) -> int:
    """Runs one command.

    Returns:
        The exit code: 0 for done, 1 for an error or (status) a cloud that is not whole, and of `exec` the command's.
    """
    options = _parser().parse_args(argv)
    cloud = Cloud()
    interrupt_on_sigterm()
    try:
        return _run(cloud, options)
    except LabError as error:
        print(f"cloud: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        bear_interrupts()
        if options.command == "up":
            cloud.down()
        print("cloud: interrupted", file=sys.stderr)
        return 130


def _run(cloud: Cloud, options: argparse.Namespace) -> int:
    match options.command:
        case "up":
            cloud.up(use_cache=options.cache)
            for defect in ("heat-signal", "webhook") if options.unpatched else ():
                cloud.faults.on(defect)
            print(f"export OS_CLIENT_CONFIG_FILE={cloud.clouds_file} OS_CLOUD={CLOUD}\nsite file: {cloud.site}")
        case "status":
            missing = cloud.missing()
            print(f"not whole: {missing}" if missing else f"up; {cloud.clouds_file}; site file: {cloud.site}")
            return 1 if missing else 0
        case "exec":
            return _exec(cloud, options.words)
        case "fault":
            (cloud.faults.on if options.state == "on" else cloud.faults.off)(options.name)
        case "down":
            cloud.down()
    return 0


def _exec(cloud: Cloud, words: list[str]) -> int:
    words = words[1:] if words[:1] == ["--"] else words
    if not words:
        raise LabError("exec: which command?")
    if len(words) == 1:
        words = ["bash", "-c", words[0]]
    return subprocess.run(cloud.machine.enter(words), check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.openstack",
        description="A real OpenStack on this machine: one controller with every service that the runbooks use, whose "
        "servers are hosts in namespaces. Needs root, Debian 12 and a Debian mirror.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="make sure that a cloud is up in which everything works")
    up.add_argument("--no-cache", dest="cache", action="store_false", help="tear down, and build everything anew")
    up.add_argument("--unpatched", action="store_true", help="with both of Debian's defects in Heat")
    commands.add_parser("status", help="tell whether everything in the cloud works")
    execute = commands.add_parser("exec", help="run a command as root on the controller, not over ssh")
    execute.add_argument("words", metavar="CMD", nargs=argparse.REMAINDER, help="words, or one string for bash")
    faults = "; ".join(f"{name}: {what}" for name, (what, _, _) in FAULTS.items())
    fault = commands.add_parser("fault", help="turn a fault on or off; `up` turns all off", description=faults)
    fault.add_argument("name", metavar="NAME", choices=FAULTS, help=", ".join(FAULTS))
    fault.add_argument("state", choices=("on", "off"))
    commands.add_parser("down", help="end the cloud and leave nothing of it but the cache")
    return parser


if __name__ == "__main__":
    sys.exit(main())
