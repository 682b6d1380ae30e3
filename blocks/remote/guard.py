"""The files on a host that let one runbook at a time work there, and what is run around each command that changes it.

`LOCK` is held exclusively by the run's own process on the host, which ends with the run. A command does not: sshd lets it
go on when the connection is lost, and `rm -rf` or `podman stop` may take minutes more. So each command that changes
anything holds `WORK` shared while it is at work, and whoever takes `LOCK` must also get `WORK` exclusively once: **the
host is not free until the last command of the run before has ended.** A command that arrives late, on a connection
whose run is no more, looks whose lock it is, with `WORK` in hand, and does nothing where it is not its own.

Plain flock(1) and bash, on purpose: no unit, no daemon, nothing to clean up after a reboot, no program that RHEL 8.2
lacks. The command itself does not inherit the descriptor: what it starts in the background (a container's monitor) would
keep the host taken for ever.
"""

from __future__ import annotations

from blocks.remote.command import Command, script

LOCK = "/run/lock/openstack-runbooks.lock"
WORK = "/run/lock/openstack-runbooks.work"
TOKENS = "/run/lock/openstack-runbooks.token"
TAKEN = 75
NOT_OURS = 76
AT_WORK = 77
# The line that ends the holding on purpose: an input that only ends is a connection that was lost.
LAST_WORD = "release"
NOT_HELD = "this host's lock is not held by this run"
_SHOWN = 120  # characters of a command, for whoever has to wait for it
_WEEK_S = 7 * 24 * 3600.0

# The shell itself holds both descriptors, so that nothing outlives it with a lock in hand. `lock` names the holder for
# whoever is refused, and is empty while nobody is at work. `tokens` says by what the holder's commands know that the lock is
# still theirs; it is left where the input just ends: that is a lost connection, and whoever finds it unchanged knows that
# nobody has held the lock since.
_HOLD = f"""
lock=$1 work=$2 tokens=$3 holder=$4 token=$5 again=$6 patience=$7 silence=$8
exec 9>>"$lock" 8>>"$work"
flock -w 2 9 || {{ cat "$lock"; exit {TAKEN}; }}
if [ "$again" = again ] && [ "$(sed -n 1p "$tokens")" != "$token" ]; then sed -n 2p "$tokens"; exit {NOT_OURS}; fi
flock -w "$patience" 8 || {{ cat "$work"; exit {AT_WORK}; }}
exec 8>&-
truncate -s 0 "$lock"
printf '%s\\n' "$holder" >&9
printf '%s\\n' "$token" "$holder" > "$tokens"
echo held
while read -r -t "$silence" line; do
  if [ "$line" = {LAST_WORD} ]; then truncate -s 0 "$tokens"; break; fi
  printf '%s\\n' "$line" || break
done
truncate -s 0 "$lock"
"""

_GUARD = f"""
lock=$1 work=$2 tokens=$3 token=$4 limit=$5 what=$6
shift 6
refuse() {{ echo "{NOT_HELD}" >&2; exit {NOT_OURS}; }}
exec 8>>"$work"
flock -n -s 8 || refuse
{{ read -r held && read -r holder; }} < "$tokens" && [ "$held" = "$token" ] || refuse
if flock -n -s "$lock" true; then refuse; fi
printf -v now '%(%s)T' -1
printf -v until '%(%F %T %Z)T' $((now + limit))
printf '%s: %s, until %s at the latest\\n' "$holder" "$what" "$until" > "$work"
"$@" 8>&-
"""


def hold(holder: str, token: str, *, again: bool = False, patience_s: float, silence_s: float) -> Command:
    """Make the command that holds a host's lock (see `blocks.remote.held.Held`).

    Args:
        holder: Who takes it, for whoever is refused; one line.
        token: What this holding of the lock is known by; no other has it.
        again: Take it only if nobody has held it since `token` did.
        patience_s: Seconds to wait for the commands of the run before.
        silence_s: Seconds without a line after which it ends.

    Returns:
        The command. It ends with `TAKEN` where somebody holds the lock, `NOT_OURS` where somebody has held it since, and
        `AT_WORK` where a command of the run before has not ended; what it prints then says who or which.
    """
    arguments = (LOCK, WORK, TOKENS, holder, token, "again" if again else "anew", f"{patience_s:g}", f"{silence_s:g}")
    says = "hold the lock of this host"
    return script(_HOLD, *arguments, timeout_s=_WEEK_S, quiet=True, says=says, changes=False)


def guarded(command: Command, token: str) -> str:
    """Return the line that runs a command only under the lock that is known by `token`."""
    limit = str(max(1, round(command.timeout_s)) + 5)
    what = (command.says or command.shown).splitlines()[0][:_SHOWN]
    return command.line_under("bash", "-c", _GUARD, "bash", LOCK, WORK, TOKENS, token, limit, what)


def refused(exit_code: int, stderr: str) -> bool:
    """Whether a guarded command ended because the lock is not this run's: nothing ran."""
    return exit_code == NOT_OURS and NOT_HELD in stderr
