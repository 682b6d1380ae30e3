"""A node of the control plane as a folder: the runbooks' scripts run on it as they are, with a podman and a systemd of its own."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import CommandTimedOut
from blocks.remote.shell import Result
from tests.unit.fakes import LocalShell
from tests.unit.tasks.crm import Replica, pacemaker_1_1

# A container that something holds answers nobody: what asks for it is ended by its time limit (124). A list asks for all of them.
_PODMAN = """
held() { grep -qxF -- "$1" "$S/held" 2>/dev/null; }
state() { cat "$S/containers/$1" 2>/dev/null; }
change() {
  from=$1 to=$2 code=0
  shift 2
  for name in "$@"; do
    if held "$name"; then code=124; continue; fi
    if [ "$(state "$name")" = "$from" ]; then echo "$to" >"$S/containers/$name"
    else echo "Error: $name is not $from" >&2; [ "$code" = 124 ] || code=125; fi
  done
  exit "$code"
}
case "$1" in
  container) [ ! -s "$S/held" ] || exit 124; exec ls "$S/containers" ;;
  pause) shift; change running paused "$@" ;;
  unpause) shift; change paused running "$@" ;;
  inspect)
    format=$4
    shift 4
    for name in "$@"; do
      ! held "$name" || exit 124
      seen=$(state "$name") || { echo "Error: no such container $name" >&2; exit 125; }
      line=${format/\\{\\{.Name\\}\\}/$name}
      echo "${line/\\{\\{.State.Status\\}\\}/$seen}"
    done ;;
  exec)
    [ "$(state "$2")" = running ] || [ "$(state "$3")" = running ] || exit 125
    case "$*" in
      *'bash -c'*) echo resync >>"$S/calls"; [ ! -e "$S/queue" ] || exit 1; rm -f "$S/desynced" ;;
      *)
        printf '%s\\t%s\\n' wsrep_local_state_comment Synced wsrep_cluster_status Primary
        printf '%s\\t%s\\n' wsrep_cluster_size 3 wsrep_desync "$([ ! -e "$S/desynced" ]; echo $?)" ;;
    esac ;;
  *) exit 125 ;;
esac
"""
_SYSTEMCTL = """
verb=$1
shift
case "$verb" in
  list-units)
    cd "$S/units" || exit
    for unit in ${*: -1}; do
      case "$* $unit" in *'--type=timer '*.service) continue ;; esac
      [ ! -e "$unit" ] || printf '%s loaded %s x x\\n' "$unit" "$(cat "$unit")"; done ;;
  is-active) [ "$(cat "$S/units/$2" 2>/dev/null)" = active ] || exit 3 ;;
  stop | start)
    code=0
    for unit in "$@"; do
      echo "$verb $unit" >>"$S/calls"
      case $unit in *'*'*) continue ;; esac
      if [ ! -e "$S/units/$unit" ]; then
        [ "$verb" = stop ] || code=5
      elif [ "$verb" = stop ]; then echo inactive >"$S/units/$unit"
      else echo active >"$S/units/$unit"; fi
    done
    exit "$code" ;;
  *) exit 1 ;;
esac
"""
_PCS = """
echo "pcs $*" >>"$S/calls"
[ ! -e "$S/no-cluster" ] || { echo "Error: unable to start corosync" >&2; exit 1; }
case "$1 $2" in
  'cluster start') echo active >"$S/units/pacemaker.service" ;;
  'cluster stop') echo inactive >"$S/units/pacemaker.service" ;;
esac
"""
_CRM_MON = """
[ "$(cat "$S/units/pacemaker.service" 2>/dev/null)" = active ] || exit 102
exec cat "$S/status.xml"
"""
_PROGRAMS = {
    "podman": _PODMAN,
    "systemctl": _SYSTEMCTL,
    "pcs": _PCS,
    "crm_mon": _CRM_MON,
    "timeout": 'shift\nexec "$@"\n',
    "sleep": "exit 0\n",
}
# Directories of the host that are folders of the model instead.
_OF_HOST = re.compile(r"(?<![\w.-])/(etc/corosync|var/lib/openstack-runbooks)(?=/|\b)")
HEALTH_CHECK = "tripleo_keystone_healthcheck.timer"
CONTAINERS = ("keystone", "nova_api", "galera-bundle-podman-0", "haproxy-bundle-podman-0", "openstack-runbooks-drill")


class Killed(BaseException):
    """The process that runs the flow is gone."""


class NodeModel(LocalShell):
    """A node with containers, of which one has a health check, and Pacemaker.

    Args:
        folder: A folder of its own.
        name: Its name.

    Attributes:
        folder: Its state, a file for each container and unit.
        ran: What was run on it.
        killed: Whether the process of the run is gone.
    """

    def __init__(self, folder: Path, name: str = "controller-0") -> None:
        for each in ("bin", "containers", "units", "etc/corosync"):
            (folder / each).mkdir(parents=True)
        super().__init__(folder / "bin")
        self.name, self.folder = name, folder
        self.ran: list[Command] = []
        self.killed = False
        for program, text in _PROGRAMS.items():
            file = folder / "bin" / program
            file.write_text(f"#!/bin/bash\nS={folder}\n{text}")
            file.chmod(0o755)
        (folder / "etc/corosync/corosync.conf").write_text("")
        (folder / "status.xml").write_text(pacemaker_1_1([Replica("Master")] * 3))
        for container in CONTAINERS:
            self.set_container(container, "running")
        self.set_container("keystone_db_sync", "exited")
        for unit in ("tripleo_keystone.service", "tripleo_nova_api.service", HEALTH_CHECK, "pacemaker.service"):
            self.set_unit(unit, "active")
        self.set_unit(HEALTH_CHECK.replace(".timer", ".service"), "inactive")

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if self.killed:
            raise Killed
        result = self.answer(command)
        if result.exit_code == 124 and 124 not in command.ok:
            raise CommandTimedOut(self.name, f"`{command.shown}` did not end")
        return self.judge(command, result.exit_code, result.stdout, result.stderr)

    def answer(self, command: Command) -> Result:
        """What a command says here, however it ends."""
        self.ran.append(command)
        words = [_OF_HOST.sub(lambda found: f"{self.folder}{found[0]}", word) for word in command.words]
        done = subprocess.run(
            words, input=command.stdin or "", capture_output=True, text=True, timeout=20, env=self._environment
        )
        return Result(done.stdout, done.stderr, done.returncode)

    def set_container(self, name: str, state: str) -> None:
        (self.folder / "containers" / name).write_text(f"{state}\n")

    def set_unit(self, name: str, state: str) -> None:
        (self.folder / "units" / name).write_text(f"{state}\n")

    def hold(self, *names: str) -> None:
        """Let something hold containers, as a `podman stop` that hangs does; none any more."""
        (self.folder / "held").write_text("".join(f"{name}\n" for name in names))

    def tick(self) -> None:
        """Let each active timer start its health check: in a paused container it fails, and the container is restarted."""
        for unit in (self.folder / "units").glob("*_healthcheck.timer"):
            name = unit.name.removeprefix("tripleo_").removesuffix("_healthcheck.timer")
            if unit.read_text() == "active\n" and self.containers[name] == "paused":
                self.set_container(name, "running")

    @property
    def containers(self) -> dict[str, str]:
        return {file.name: file.read_text().strip() for file in sorted((self.folder / "containers").iterdir())}

    @property
    def units(self) -> dict[str, str]:
        return {file.name: file.read_text().strip() for file in sorted((self.folder / "units").iterdir())}

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def state(self) -> tuple[dict[str, str], dict[str, str]]:
        """Everything that a backup must leave as it was."""
        return self.containers, self.units
