"""What a host's programs are: too old for what the runbooks run there, as they were tried, or newer (docs/hosts.md)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blocks.remote.command import script
from blocks.remote.shell import Shell
from tasks.engine.checks import Check

Number = tuple[int, ...]


@dataclass(frozen=True)
class Range:
    """The versions of a program with which the runbooks are known to work.

    Attributes:
        program: The program's name, as the check says it.
        oldest: The first that has all that is used of it.
        newest: The newest with which they were tried; a later one is allowed, and shown.
        ask: The words that make it say its version.
        missing: Whether a host may be without it.
    """

    program: str
    oldest: Number
    newest: Number
    ask: tuple[str, ...] = ()
    missing: bool = False


_PODMAN = Range("podman", (1, 6, 4), (5,), ("podman", "--version"))
_SYSTEMD = Range("systemd", (239,), (257,), ("systemctl", "--version"))
# RHEL 8.2, on which Red Hat OpenStack Platform 16.1 runs; the newest are Debian 13's.
_MARIADB = Range("MariaDB", (10, 3), (11, 8), missing=True)
CONTROLLER = (
    _PODMAN,
    _SYSTEMD,
    Range("Pacemaker", (2, 0, 3), (3, 0), ("crm_mon", "--version")),
    Range("pcs", (0, 10, 4), (0, 12), ("pcs", "--version")),
    _MARIADB,
)
UNDERCLOUD = (_PODMAN, _SYSTEMD, _MARIADB)
# Platform 8 runs on RHEL 7, without podman; what is asked of its systemd, that has.
TELEMETRY = (
    Range("podman", _PODMAN.oldest, _PODMAN.newest, _PODMAN.ask, missing=True),
    Range("systemd", (219,), _SYSTEMD.newest, _SYSTEMD.ask),
)

# Asks the server program of a container, also where the container does not run.
ASK_SERVER = r"""
program='PATH="$PATH:/usr/libexec:/usr/sbin"; exec "$(type -P mysqld || type -P mariadbd)" --version'
if [ "$(podman inspect --format '{{.State.Status}}' "$1")" = running ]; then
  podman exec "$1" bash -c "$program"
else
  podman run --rm --network none --entrypoint bash "$(podman inspect --format '{{.Image}}' "$1")" -c "$program"
fi
"""

# All at once: pcs alone takes a third of a second. One that is not there, or says nothing, has an empty line.
_ASK = f"""
server() {{ {ASK_SERVER} }}
[ -z "$1" ] || echo "MariaDB: $(server "$1" 2>/dev/null | head -n 1)" &
for ask in "${{@:2}}"; do
  read -ra words <<<"$ask"
  echo "$ask: $("${{words[@]}}" 2>/dev/null | head -n 1)" &
done
wait
"""


def read_versions(shell: Shell, ranges: Sequence[Range], container: str = "") -> dict[str, str]:
    """Ask a host for the versions of its programs, all at once.

    Args:
        shell: The host's.
        ranges: Which programs.
        container: MariaDB's; empty where there is none.

    Returns:
        Program → what it says of its version; empty where it is not there. One that was not asked is left out.
    """
    asks = {" ".join(each.ask): each.program for each in ranges if each.ask}
    asked = script(_ASK, container, *asks, quiet=True, changes=False, says="ask the programs for their versions")
    said = shell.run(asked).stdout
    found = {asks.get(key, key): text.strip() for key, _, text in (line.partition(": ") for line in said.splitlines())}
    return {each.program: found[each.program] for each in ranges if each.program in found}


def parse_number(program: str, text: str) -> Number:
    """Find the version in what a program says of itself; empty where it says none."""
    # A server's number stands before its name, after that of the client's protocol.
    pattern = r"(\d+\.\d+\.\d+)(?:-\d+)?-MariaDB" if program == "MariaDB" else r"(?<![\w.])(\d+(?:\.\d+)*)"
    found = re.search(pattern, text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def check_versions(host: str, versions: Mapping[str, str], ranges: Sequence[Range] = CONTROLLER) -> list[Check]:
    """Judge the versions of a host.

    Args:
        host: Its name.
        versions: Program → what it says of its version; one that was not asked is not judged.
        ranges: What is known to work.
    """
    return [
        _check(host, each, versions[each.program])
        for each in ranges
        if each.program in versions and not (each.missing and not parse_number(each.program, versions[each.program]))
    ]


def untried(checks: Sequence[Check]) -> list[str]:
    """What the operator should know of versions that nothing speaks against: those that nobody has tried."""
    return [str(check) for check in checks if check.ok and _NEWER in check.seen]


_NEWER = "newer than"


def _check(host: str, known: Range, text: str) -> Check:
    number = parse_number(known.program, text)
    if not number:
        reason = f"{known.program} is not there, or does not say its version: {text[:100]!r}"
        return Check("versions", host, text, reason, f"see `{' '.join(known.ask)}` on the host")
    if number < known.oldest:
        reason = f"{known.program} {_shown(number)} is older than {_shown(known.oldest)}, which is needed at least"
        return Check(
            f"version of {known.program}",
            host,
            _shown(number),
            reason,
            f"update {known.program} there; docs/hosts.md says what the runbooks use of it",
        )
    newer = number[: len(known.newest)] > known.newest
    note = f" ({_NEWER} {_shown(known.newest)}, the newest that the runbooks were tried with)" if newer else ""
    return Check(f"version of {known.program}", host, f"{_shown(number)}{note}")


def _shown(number: Number) -> str:
    return ".".join(map(str, number))
