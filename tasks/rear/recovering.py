"""`rear recover` in the rescue system, as a job that outlives the connection (BR 4.2 and 4.3, step 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from blocks.remote.connection import Action, Performed, Watch
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from blocks.remote.waiting import wait_until
from tasks.engine.change import Change
from tasks.rear.rescue import AWAY, rescue_command

DIRECTORY = "/tmp/openstack-runbooks-recover"  # noqa: S108 - the rescue system's, which has no other user
MOUNTS = "/proc/mounts"
_ENDED, _NO_ANSWER = "ended", "no answer"
# ReaR 2.4, and 2.7.
_FINISHED = re.compile(r"Finished (recovering your system|'recover')")
# How ReaR ends a question: it would wait for an answer, and then take one by itself. For a passphrase it waits for ever.
_QUESTION = re.compile(r"\((default '.*'( timeout \d+ seconds)?|timeout \d+ seconds)\)|.*password for LUKS .*:")
# What follows where a variable USER_INPUT_… has the answer.
_ANSWERED = "UserInput: Will use predefined input in "
# Looks without anything new, until a question is taken for one that nothing follows.
_STILL = 3
_WARNING = re.compile(r"^(WARNING|ERROR)\b.*", re.MULTILINE)
_PHASES = (
    ("Start system layout restoration", 5),
    ("Disk layout created", 10),
    ("Restoring from", 15),
    ("Recreating initramfs", 85),
    ("Running mkinitrd", 85),
    ("Updated initrd", 88),
    ("Installing GRUB", 92),
    ("Finished", 100),
)
_TROUBLES = (
    (
        re.compile(r"[Ii]ntegrity check|md5sum.*(FAILED|mismatch)"),
        "the archive on the store is damaged: choose another image",
    ),
    (
        re.compile(r"[Mm]ount command|mount\.nfs|sshfs"),
        "the rescue system can't mount the store: see the network, and the store",
    ),
    (re.compile(r"No space left"), "the disk is too small for what is in the archive"),
)

# A pipe that is never written to stands in for a terminal: an end of the input would be an answer. ReaR writes to the disks that
# are called as they were, which was looked at before, and asks nothing about them; later ones than 2.7 would ask before they wipe
# a disk that they write to anyway.
_ENVIRONMENT = "MIGRATION_MODE=false DISKS_TO_BE_WIPED=false"
_START = f"""
# What an attempt before has mounted keeps ReaR from making its partitions again; nothing of ReaR's unmounts it.
awk '$2 ~ "^/mnt/local(/|$)" {{ print $2 }}' "$2" | sort -r | while read -r each; do
  umount "$each" ||
    {{ echo "$each can't be unmounted: cut the node's power, and start the runbook again, which boots it anew" >&2; exit 65; }}
done
rm -rf -- "$1"
mkdir -p "$1"
mkfifo "$1/input"
: >"$1/log"
exec 3<>"$1/input"
(
  trap "" HUP
  code=0
  {_ENVIRONMENT} rear -v recover <&3 >"$1/log" 2>&1 &
  echo $! >"$1/rear"
  wait $! || code=$?
  echo "$code" >"$1/code.new"
  mv "$1/code.new" "$1/code"
) </dev/null >/dev/null 2>&1 &
echo $! >"$1/pid"
"""
# Both hold the pipe: by their numbers alone they could be others by now.
_IS_OURS = '[ "/proc/$(cat "$1/$each" 2>/dev/null)/fd/3" -ef "$1/input" ]'
# State and size of the log, then what is new in it. It is at work while either ReaR is, or what waits for it.
_STATE = f"""
[ -s "$1/pid" ] || {{ echo absent 0; exit 0; }}
state=lost
for each in pid rear; do
  ! {_IS_OURS} || state=running
done
code=$(cat "$1/code" 2>/dev/null) && state=ended
size=$(stat -c %s "$1/log")
echo "$state $size $code"
(( size <= $2 )) || head -c "$size" "$1/log" | tail -c "+$(($2 + 1))"
"""
# ReaR first, then what it has started: in 2.4 that would go on waiting for an answer, and keep another one from beginning. What
# waits for ReaR writes down how it ended.
_END = f"""
each=rear
{_IS_OURS} || exit 0
tree() {{
  local child
  echo "$1"
  for child in $(ps -o pid= --ppid "$1"); do tree "$child"; done
}}
mapfile -t all < <(tree "$(cat "$1/rear")")
kill "${{all[@]}}" || :
"""


@dataclass
class _Seen:
    """What was seen of a job."""

    state: str = "absent"
    code: int = -1
    log: str = ""
    size: int = 0
    percent: float = 0.0
    still: int = 0

    @property
    def unanswered(self) -> bool:
        """Whether ReaR has asked something that no variable has answered."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        pairs = pairwise([*lines, _ANSWERED if self.still < _STILL else ""])
        return any(_QUESTION.fullmatch(line) and not after.startswith(_ANSWERED) for line, after in pairs)

    @property
    def disk(self) -> str:
        """What it has left on the disk where it has failed."""
        begun = any(phase in self.log for phase, _ in _PHASES)
        return "its disk is half written" if begun else "it had not begun to write to a disk"

    @property
    def well(self) -> bool:
        """Whether it has recovered the node: ReaR's exit code alone does not say so."""
        return self.code == 0 and bool(_FINISHED.search(self.log))


class Recover(Action[Shell]):
    """`rear recover`. One that is found at work, or has ended well, is waited for and not begun again.

    Args:
        within_s: Seconds until it is given up; it is left at work then.
    """

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s

    @property
    def shown(self) -> str:
        """The command."""
        return f"{_ENVIRONMENT} rear -v recover"

    def perform(self, connection: Shell, watch: Watch) -> Performed:
        """Recover the node, and follow it.

        Raises:
            HostError: It failed, asks something, or was lost.
            WaitExpired: It did not end in time.
        """
        seen = _look(connection, _Seen())
        found = seen.state == "running" or (seen.state == _ENDED and seen.well)
        if not found:
            connection.run(rescue_command(_START, DIRECTORY, MOUNTS, changes=True, says="begin rear recover"))
        seen = _Seen()
        wait_until(
            connection.name,
            "rear recover",
            _ENDED,
            lambda: _follow(connection, seen, watch),
            self._within_s,
            every_s=5,
            hint="it is still at work there: see its log, " + DIRECTORY + "/log in the rescue system",
        )
        if not seen.well:
            raise _failed(connection.name, seen)
        return "attached" if found else "done"


def _look(shell: Shell, before: _Seen) -> _Seen:
    command = rescue_command(_STATE, DIRECTORY, str(before.size), says="see how far rear recover is")
    head, _, log = shell.run(command).stdout.partition("\n")
    state, size, *code = head.split()
    return _Seen(state, int(code[0]) if code else -1, before.log + log, int(size))


def _follow(shell: Shell, seen: _Seen, watch: Watch) -> str:
    try:
        now = _look(shell, seen)
    except AWAY:
        return _NO_ANSWER  # it goes on; should the node not come back, the deadline says so
    new, seen.state, seen.code, seen.log, seen.size = now.log[len(seen.log) :], now.state, now.code, now.log, now.size
    seen.still = 0 if new else seen.still + 1
    for line in new.splitlines():
        if line.strip():
            watch.line(line)
    percent = max((part for phase, part in _PHASES if phase in seen.log), default=0)
    if percent > seen.percent:
        seen.percent = percent
        watch.progress(percent)
    if seen.state == "running" and seen.unanswered:
        shell.run(rescue_command(_END, DIRECTORY, changes=True, says="end rear recover"))
        asked = "\n".join(seen.log.strip().splitlines()[-15:])
        raise HostError(
            shell.name,
            f"rear recover asks something that nobody answers, and was ended; {seen.disk}:\n{asked}",
            "answer it by a variable USER_INPUT_… in /etc/rear/local.conf of the rescue system (log in to the node as root), and "
            "start the runbook again; or recover at the console",
        )
    if seen.state == "lost":
        raise HostError(shell.name, f"rear recover is gone without a result:\n{_tail(seen)}", "start the runbook again")
    return seen.state


def _failed(host: str, seen: _Seen) -> HostError:
    hint = next(
        (said for pattern, said in _TROUBLES if pattern.search(seen.log)),
        "see its log in the rescue system, /var/log/rear",
    )
    return HostError(host, f"rear recover ended with {seen.code}; {seen.disk}:\n{_tail(seen)}", hint)


def _tail(seen: _Seen) -> str:
    return "\n".join(seen.log.strip().splitlines()[-12:])


def _warnings(shell: Shell) -> list[str]:
    found = _look(shell, _Seen()).log
    return list(dict.fromkeys(match[0] for match in _WARNING.finditer(found)))


def recover(within_s: float) -> Change:
    """Recover the node; what ReaR warned of is told.

    Args:
        within_s: Seconds until it is given up.
    """
    return Change((Recover(within_s),), findings_after=_warnings)
