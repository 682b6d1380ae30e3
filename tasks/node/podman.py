"""The containers of the database on each host."""

from __future__ import annotations

from collections.abc import Sequence

from blocks.remote.command import Command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait


def podman_exec(container: str, *words: str) -> tuple[str, ...]:
    """The words that run a command in a container."""
    return ("podman", "exec", container, *words)


def podman_exec_stdin(container: str, *words: str) -> tuple[str, ...]:
    """The same for a command that reads standard input."""
    return ("podman", "exec", "-i", container, *words)


# `podman exec --detach` came with podman 2.0. What the shell leaves behind is taken over by the container's first process, and
# ends with the container; it holds nothing of the shell's, so that podman does not wait for it.
_DETACH = 'exec </dev/null >/dev/null 2>&1; setsid "$@" &'


def podman_exec_detached(container: str, *words: str) -> tuple[str, ...]:
    """The same for a command that goes on by itself; whether it has come up, a wait must tell."""
    return podman_exec(container, "bash", "-c", _DETACH, "detached", *words)


# A container that does not run gets its files when it starts: those that are mounted into it, and those that Kolla copies into
# it then; anything else lies in its layers. `podman cp` would pause a container that runs, and what podman 1.6 writes of a
# single file is no whole archive.
_KOLLA = "/var/lib/kolla/config_files/src"
_CAT = f"""
mounts=$(podman inspect --type=container --format '{{{{range .Mounts}}}}{{{{println .Destination .Source}}}}{{{{end}}}}' "$1")
nearest=''; mounted=''; copied=''
while read -r inside outside; do
  if [ -z "$inside" ]; then continue; fi
  case $2 in
    "$inside" | "$inside"/*)
      [ "${{#inside}}" -lt "${{#nearest}}" ] || {{ nearest=$inside mounted=$outside${{2#"$inside"}}; }} ;;
  esac
  [ "$inside" != {_KOLLA} ] || [ ! -e "$outside$2" ] || copied=$outside$2
done <<<"$mounts"
file=${{mounted:-$copied}}
[ -z "$file" ] || exec cat "$file"
layers=$(podman mount "$1")
trap 'podman umount "$1" >/dev/null' EXIT
cat "$layers$2"
"""


def cat(container: str, path: str) -> Command:
    """The command that prints a file of a container that runs."""
    return question(*podman_exec(container, "cat", path))


def read_file(shell: Shell, container: str, path: str) -> str:
    """Read a file as the container has it, or will have it once it runs; nothing is stopped or paused for it."""
    if status(shell, container) == "running":
        return shell.run(cat(container, path)).stdout
    return shell.run(script(_CAT, container, path, quiet=True, says=f"read {path} of container {container}")).stdout


def names(shell: Shell) -> list[str]:
    """The names of a host's containers, whether they run or not."""
    return shell.run(question("podman", "container", "ls", "--all", "--format", "{{.Names}}")).stdout.split()


def find_container(shell: Shell, among: Sequence[str], pattern: str) -> str:
    """Find the one container whose name contains the pattern.

    Of several, the one that runs is meant, or else the only one that was ever started: a replica that Pacemaker has moved
    away can leave a container behind.

    Args:
        shell: The host whose containers they are.
        among: Their names.
        pattern: A part of the name.

    Raises:
        HostError: There is none, or several that may be meant.
    """
    found = [name for name in among if pattern in name]
    if not found:
        raise HostError(
            shell.name,
            f"no container has {pattern!r} in the name",
            "if the resource is disabled, `pcs resource enable` it, so that Pacemaker makes the containers; "
            "else correct the pattern in the site file",
        )
    if len(found) == 1:
        return found[0]
    states = {name: status(shell, name) for name in found}
    for wanted in ({"running"}, {*states.values()} - _NEVER_STARTED):
        meant = [name for name, state in states.items() if state in wanted]
        if len(meant) == 1:
            return meant[0]
    raise HostError(
        shell.name,
        f"several containers have {pattern!r} in the name: "
        + ", ".join(f"{name} ({state})" for name, state in states.items()),
        "remove those that are no longer used with `podman rm NAME`; if all are in use, correct the pattern in the site file",
    )


_NEVER_STARTED = {"created", "configured"}


def status(shell: Shell, container: str) -> str:
    """What podman says of it: running, exited, created, paused."""
    return shell.run(question("podman", "inspect", "--type=container", "--format", "{{.State.Status}}", container)).text


def stop(container: str, before: tuple[Command, ...] = ()) -> Change:
    """Stop a container at once; what must end in peace is ended by `before`.

    The bundle's own process ignores SIGTERM, so that waiting for it costs its whole grace time and ends in SIGKILL all
    the same.
    """
    return Change(
        (*before, Command(("podman", "container", "stop", "--time", "0", container))),
        already=lambda shell: _is_down(shell, container) == _DOWN,
        until=Wait(f"container {container}", _DOWN, lambda shell: _is_down(shell, container), 60),
    )


_DOWN = "down"


def _is_down(shell: Shell, container: str) -> str:
    """`down` for every state without a process: exited, and after the host's restart also created."""
    seen = status(shell, container)
    return seen if seen in {"running", "paused", "stopping"} else _DOWN


def start(container: str) -> Change:
    """Start a container."""
    return Change(
        (Command(("podman", "container", "start", container)),),
        already=lambda shell: status(shell, container) == "running",
        until=Wait(f"container {container}", "answering", lambda shell: _answers(shell, container), 60),
    )


def remove(container: str) -> Command:
    """The command that removes a container, running or not; where there is none, nothing is to do."""
    return script('podman rm --force "$1" >/dev/null 2>&1 || :', container, quiet=True, says=f"remove {container}")


def restart(container: str) -> Change:
    """Restart a container at once; its process would ignore SIGTERM."""
    return Change(
        (Command(("podman", "container", "restart", "--time", "0", container)),),
        until=Wait(f"container {container}", "answering", lambda shell: _answers(shell, container), 60),
    )


# Stopped in both ways, since a unit that has failed does not stop its container, and a container that goes on running
# goes on seeing the data directory that was moved aside.
_RESTART_SERVICE = """
unit="tripleo_$1.service"
systemctl cat "$unit" >/dev/null 2>&1 || exec podman container restart "$1"
systemctl stop "$unit"
podman container stop "$1" >/dev/null
systemctl reset-failed "$unit" 2>/dev/null || :
systemctl start "$unit"
"""


def restart_service(container: str) -> Change:
    """Restart a container that TripleO runs as a systemd unit (`tripleo_<name>`), through the unit where there is one.

    Behind the unit's back, podman's restart races with systemd's own, and may leave the unit failed though the container
    runs.
    """
    return Change(
        (script(_RESTART_SERVICE, container, quiet=True),),
        until=Wait(f"container {container}", "answering", lambda shell: _answers(shell, container), 60),
    )


def _answers(shell: Shell, container: str) -> str:
    code = shell.run(question(*podman_exec(container, "true"), ok=tuple(range(256)))).exit_code
    return "answering" if code == 0 else f"exec returns {code}"
