"""Load on a member: the documented `dd` (AS 1.2.1, 1.3.1), as many as it has vCPUs, found again and ended.

Every one has a time limit of its own beside it, so that none goes on when whoever started it is gone, and carries a mark in
its environment by which it is found. The scripts are for any shell and any user, and for the little that a Cirros has, the
document's example: its busybox has no `timeout`, and its grep sees of a file no more than what stands before the first NUL.
"""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.command import Command
from blocks.remote.errors import HostError

_MARK = "OPENSTACK_RUNBOOKS_LOAD"

# The mark stands in the environment of what is started (a shell, its `sleep`, its `dd`) and of nothing else: not in this
# script's own, nor in that of grep. Others' processes can't be read, and are not asked.
_FIND = f"""
mark={_MARK}=dd
found() {{
  for p in /proc/[0-9]*; do
    {{ read -r name <$p/comm; }} 2>/dev/null || continue
    case $name in dd|sleep|sh) [ -r $p/environ ] || continue ;; *) continue ;; esac
    tr '\\0' '\\n' 2>/dev/null <$p/environ | grep -q "^$mark\\$" && echo ${{p#/proc/}}
  done
}}
working() {{
  n=0
  for p in $(found); do [ "$(cat /proc/$p/comm 2>/dev/null)" = dd ] && n=$((n + 1)); done
  echo $n
}}
tell() {{ echo "vcpus $(grep -c ^processor /proc/cpuinfo)"; echo "running $(working)"; }}
"""

# A process that ends of itself may leave its number to another, which is none of ours to end.
_LIMITED = """
dd if=/dev/zero of=/dev/null &
sleep "$1"
[ "$(cat /proc/$!/comm)" = dd ] && kill $!
"""

_START = f"""{_FIND}
have=$(working)
while [ "$have" -lt "$1" ]; do
  (trap "" HUP; exec env "$mark" sh -c '{_LIMITED}' limit "$2" </dev/null >/dev/null 2>&1) &
  have=$((have + 1))
done
for i in 1 2 3; do [ "$(working)" -ge "$1" ] && break; sleep 1; done
tell
"""

_END = f"""{_FIND}
for i in 1 2 3 4 5 6 7 8 9 10; do
  left=$(found)
  [ -n "$left" ] || break
  [ $i -lt 8 ] && kill $left 2>/dev/null || kill -9 $left 2>/dev/null
  sleep 1
done
tell
"""


@dataclass(frozen=True)
class LoadReport:
    """What a member says of its load.

    Attributes:
        running: How many of the project's `dd` run.
        vcpus: How many CPUs it sees; 0 if it does not say.
    """

    running: int
    vcpus: int


def start_load(processes: int, time_limit_s: float) -> Command:
    """Bring the number of loads up to `processes`; those that run already are not doubled.

    Args:
        processes: How many: the member's vCPUs.
        time_limit_s: Seconds after which each ends by itself; longer than the check may wait for the group to grow.
    """
    return _command(_START, str(processes), str(max(1, round(time_limit_s))), says="start the load")


def stop_load() -> Command:
    """End every load that this project has started there, by whichever run."""
    return _command(_END, says="end the load")


def read_load() -> Command:
    """Ask how many loads run."""
    return _command(f"{_FIND}\ntell", says="look at the load")


def _command(text: str, *arguments: str, says: str) -> Command:
    words = ("sh", "-c", text, "sh", *arguments)
    return Command(words, root=False, limited=False, timeout_s=30, quiet=True, says=says)


def parse_report(host: str, text: str) -> LoadReport:
    """Read what each of the commands prints at its end.

    Raises:
        HostError: It is something else.
    """
    seen = dict(line.split(None, 1) for line in text.splitlines() if len(line.split()) == 2)
    if not seen.get("running", "").isdigit():
        raise HostError(host, f"does not say what load it carries: {text.strip()[:200]!r}", "log in and look at `ps`")
    vcpus = seen.get("vcpus", "")
    return LoadReport(int(seen["running"]), int(vcpus) if vcpus.isdigit() else 0)
