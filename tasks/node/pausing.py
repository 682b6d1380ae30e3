"""Pausing a node's containers, and releasing them: what a backup does before it makes an image (BR 2.5 and 3.5, step 3).

Health checks are stopped first: their timers go on firing, and a check in a paused container fails, upon which the container is
restarted. What releases a node is one script, `release_words`: the runbook's step, its cleanup, the hooks of its end and the
node's own timer run the same one. It asks podman for no list, which waits for whatever holds a single container.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from blocks.remote.command import Command, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait
from tasks.node.running import ACTIVE, PAUSED, RUNNING, STOPPING, Running, container_of, differences, read_running

_RELEASED, _AS_BEFORE = "released", "running"
# Seconds for which a node tries: podman may be held by something that ends by itself.
PATIENCE_S = 300

_PAUSE = """
count=$1
shift
timers=("${@:1:$count}") containers=("${@:$((count + 1))}")
[ "$count" = 0 ] || systemctl stop "${timers[@]}" "${timers[@]/%.timer/.service}"
running=()
for name in "${containers[@]}"; do
  state=$(podman inspect --type=container --format '{{.State.Status}}' "$name" 2>/dev/null) || state=gone
  [ "$state" != running ] || running+=("$name")
done
[ "${#running[@]}" = 0 ] || exec podman pause "${running[@]}" >/dev/null
"""

# All at once, which is quick, and then each that is still paused, so that one which hangs keeps no other. The cluster comes first,
# as documented: what is released finds its database sooner. A container that is gone, or has stopped, is not paused.
_RELEASE = """
patience=$1 cluster=$2 jobs=$3 count=$4
shift 4
timers=("${@:1:$count}") containers=("${@:$((count + 1))}")
[ -z "$jobs" ] || systemctl stop "$jobs"
release() {
  left=()
  if [ "$cluster" = start ] && ! systemctl is-active --quiet pacemaker.service; then
    timeout 120 pcs cluster start || left+=(Pacemaker)
  fi
  [ "${#containers[@]}" = 0 ] || timeout 60 podman unpause "${containers[@]}" >/dev/null 2>&1 || :
  for name in "${containers[@]}"; do
    code=0
    state=$(timeout 20 podman inspect --type=container --format '{{.State.Status}}' "$name" 2>/dev/null) || code=$?
    case $code:$state in
      0:paused | 124:*) timeout 20 podman unpause "$name" >/dev/null || left+=("$name") ;;
    esac
  done
  [ "$count" = 0 ] || systemctl start "${timers[@]}" || left+=("health checks")
  [ "${#left[@]}" = 0 ]
}
until release; do
  [ "$SECONDS" -lt "$patience" ] || { echo "not released within $patience s: ${left[*]}" >&2; exit 1; }
  sleep 1
done
"""


@dataclass(frozen=True)
class Held:
    """What a node is released from.

    Attributes:
        containers: Names of containers that are, or will be, paused.
        health_checks: Timers of health checks that are, or will be, stopped.
        cluster: Whether Pacemaker is started where it does not run.
    """

    containers: tuple[str, ...] = ()
    health_checks: tuple[str, ...] = ()
    cluster: bool = False

    @classmethod
    def by_backup(cls, before: Running) -> Self:
        """What a backup holds of what it has recorded."""
        return cls(before.to_pause, before.health_checks, before.clustered)

    @classmethod
    def found(cls, now: Running) -> Self:
        """What is held now, whoever has done it: a health check counts where its container is there to be checked."""
        there = {*now.in_state(RUNNING), *now.in_state(PAUSED)}
        checks = tuple(unit for unit in now.stopped_health_checks if container_of(unit) in there)
        return cls(tuple(now.in_state(PAUSED)), checks, now.pacemaker not in {"", ACTIVE})

    def __str__(self) -> str:
        told = [f"{len(self.containers)} containers are paused"] if self.containers else []
        told += [f"{len(self.health_checks)} health checks are stopped"] if self.health_checks else []
        told += ["Pacemaker is stopped"] if self.cluster else []
        return ", ".join(told)

    def __bool__(self) -> bool:
        return bool(self.containers or self.health_checks or self.cluster)


def pause(before: Running, within_s: float) -> Change:
    """Stop the health checks of a node, and pause its containers.

    Args:
        before: What was recorded.
        within_s: Seconds for all of it.
    """
    words = (str(len(before.health_checks)), *before.health_checks, *before.to_pause)
    says = f"pause {len(before.to_pause)} containers"

    def look(shell: Shell) -> str:
        now = read_running(shell)
        up = [name for name in before.to_pause if now.containers.get(name) in {RUNNING, STOPPING}]
        up += [unit for unit in before.health_checks if now.units.get(unit) == ACTIVE]
        return ", ".join(up) or PAUSED

    return Change(
        (script(_PAUSE, *words, timeout_s=within_s, says=says),),
        already=lambda shell: look(shell) == PAUSED,
        until=Wait("what is to be paused", PAUSED, look, within_s, "see `podman ps --all` there"),
    )


def release_words(held: Held, *, jobs: str = "", patience_s: int = PATIENCE_S) -> tuple[str, ...]:
    """The words that release a node. They bear being run twice, and where nothing is paused; they need no network.

    Args:
        held: What is released, and no more.
        jobs: Units of the run's own that are ended first, by a pattern of systemctl's; empty for none.
        patience_s: Seconds until what is left is told, and the words end with 1.
    """
    start, count = "start" if held.cluster else "", str(len(held.health_checks))
    return (
        "bash",
        "-c",
        _RELEASE,
        "release",
        str(patience_s),
        start,
        jobs,
        count,
        *held.health_checks,
        *held.containers,
    )


def unpause(before: Running, within_s: float) -> Change:
    """Unpause the containers that were recorded, and start their health checks.

    Args:
        before: What was recorded.
        within_s: Seconds for all of it.
    """
    held = replace(Held.by_backup(before), cluster=False)
    words = release_words(held, patience_s=round(within_s))

    def look(shell: Shell) -> str:
        now = read_running(shell)
        still = [name for name in held.containers if now.containers.get(name) == PAUSED]
        still += [unit for unit in held.health_checks if now.units.get(unit) != ACTIVE]
        return ", ".join(still) or _RELEASED

    return Change(
        (Command(words, timeout_s=within_s + 120, says=f"unpause {len(held.containers)} containers"),),
        already=lambda shell: look(shell) == _RELEASED,
        until=Wait(
            "what was paused", _RELEASED, look, 60, "`podman unpause NAME` there; then start resume-control-plane"
        ),
    )


def check_as_before(before: Running, within_s: float) -> Change:
    """Wait until all that was recorded runs again; what does not is told by its name.

    Args:
        before: What was recorded.
        within_s: Seconds until it must.
    """
    return Change(
        (),
        until=Wait(
            "what ran before",
            _AS_BEFORE,
            lambda shell: "; ".join(differences(before, read_running(shell))) or _AS_BEFORE,
            within_s,
            "see `systemctl status` of each unit and `podman logs` of each container that is named; then start "
            "resume-control-plane",
            every_s=2,
        ),
    )
