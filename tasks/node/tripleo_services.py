"""The services of a host that TripleO runs as containers under systemd: units `tripleo_<container>`, and what runs beside them.

What ran before they are stopped is kept, so that just that runs again afterwards: not every unit is part of a target, and not
every container has a unit.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from blocks.remote.command import Command, question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait

UNIT_PREFIX = "tripleo_"
_UNITS = question(
    "systemctl",
    "list-units",
    "--all",
    "--plain",
    "--no-legend",
    "--type=service,timer",
    f"{UNIT_PREFIX}*",
    timeout_s=60,
)
_CONTAINERS = question("podman", "ps", "--format", "{{.Names}}")
# Containers of our own bear it.
OWN_PREFIX = "openstack-runbooks-"
_STOPPED, _RUNNING = "stopped", "running"
# One that systemd starts again and again has no place among what runs: nobody could say that it came back.
_RUNS = {"active", "reloading"}
_LIVES = _RUNS | {"activating", "deactivating"}


class Services(BaseModel):
    """What runs.

    Attributes:
        units: Units (services and timers) by their names, without those that a timer starts.
        containers: Names of containers that run though no unit of theirs does.
    """

    model_config = ConfigDict(frozen=True)

    units: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ", ".join((*self.units, *(f"container {name}" for name in self.containers))) or "nothing"

    @property
    def counted(self) -> str:
        """How much it is: a host has some fifty."""
        return f"{len(self.units)} units and {len(self.containers)} containers without one"

    def and_also(self, others: Services) -> Services:
        """All that runs here or there."""
        units = tuple(sorted({*self.units, *others.units}))
        of_units = {unit_of(name): name for name in (*self.containers, *others.containers)}
        return Services(units=units, containers=tuple(sorted(of_units[unit] for unit in of_units.keys() - set(units))))


def unit_of(container: str) -> str:
    """The name of the unit that TripleO makes for a container."""
    return f"{UNIT_PREFIX}{container}.service"


def parse_units(text: str) -> dict[str, str]:
    """Read `systemctl list-units`, without legend: unit → its state (`active`, `failed`)."""
    return {row[0]: row[2] for row in (line.split() for line in text.splitlines()) if len(row) > 2}


def parse_services(units: str, containers: str) -> Services:
    """Find what runs.

    Args:
        units: What `systemctl list-units` prints, without legend.
        containers: Names of the containers that run.
    """
    states = parse_units(units)
    # A health check that is just under way is not expected afterwards: its timer is.
    by_timer = {unit.replace(".timer", ".service") for unit in states if unit.endswith(".timer")}
    active = {unit for unit, state in states.items() if state in _RUNS and unit not in by_timer}
    others = (name for name in containers.split() if not name.startswith(OWN_PREFIX))
    return Services(
        units=tuple(sorted(active)), containers=tuple(sorted(n for n in others if unit_of(n) not in active))
    )


def read_services(shell: Shell) -> Services:
    """Ask a host what runs there."""
    return parse_services(shell.run(_UNITS).stdout, shell.run(_CONTAINERS).stdout)


def _running_units(shell: Shell) -> str:
    states = parse_units(shell.run(_UNITS).stdout)
    return ", ".join(unit for unit, state in states.items() if state in _LIVES) or _STOPPED


def stop_units(within_s: float) -> Change:
    """Stop all units, timers first: one that elapses meanwhile would start a health check of what is stopping.

    Args:
        within_s: Seconds for all of them to stop.
    """
    return Change(
        (
            Command(("systemctl", "stop", f"{UNIT_PREFIX}*.timer"), timeout_s=within_s),
            Command(("systemctl", "stop", f"{UNIT_PREFIX}*"), timeout_s=within_s),
        ),
        already=lambda shell: _running_units(shell) == _STOPPED,
        until=Wait("what runs of the services", _STOPPED, _running_units, within_s, "see `systemctl list-jobs`"),
    )


# By name, all at once: each may take its ten seconds.
_STOP_CONTAINERS = """
mapfile -t running < <(podman ps --format '{{.Names}}' | grep -v "^$1")
[ "${#running[@]}" -eq 0 ] || exec podman container stop --time 10 "${running[@]}"
"""


def stop_containers(within_s: float) -> Change:
    """Stop the containers that still run, by their names: those without a unit, and those whose unit has failed.

    Args:
        within_s: Seconds for all of them to stop.
    """
    return Change(
        (script(_STOP_CONTAINERS, OWN_PREFIX, timeout_s=within_s),),
        already=lambda shell: _running_containers(shell) == _STOPPED,
        until=Wait("what runs of the containers", _STOPPED, _running_containers, within_s, "see `podman ps`"),
    )


def _running_containers(shell: Shell) -> str:
    names = shell.run(_CONTAINERS).stdout.split()
    return ", ".join(name for name in names if not name.startswith(OWN_PREFIX)) or _STOPPED


def check_no_container() -> Change:
    """See that no container runs at all, none of our own either."""

    def look(shell: Shell) -> str:
        return ", ".join(shell.run(_CONTAINERS).stdout.split()) or _STOPPED

    return Change((), until=Wait("what runs of the containers", _STOPPED, look, 60, "see `podman ps`"))


_START_CONTAINER = """
unit=$1
if systemctl cat "$unit" >/dev/null 2>&1; then
  systemctl reset-failed "$unit" 2>/dev/null || :
  exec systemctl start "$unit"
fi
exec podman container start "$2"
"""


def start_container(container: str, within_s: float) -> Command:
    """The command that starts a container, by its unit where it has one.

    Args:
        container: Its name.
        within_s: Seconds until it must have started.
    """
    return script(_START_CONTAINER, unit_of(container), container, timeout_s=within_s)


def start(services: Services, within_s: float) -> Change:
    """Start what the host starts at boot, and what of the rest ran before.

    systemd is not waited for: a unit that fails would end the command before the others are up; `check_running` tells of it.

    Args:
        services: What ran before.
        within_s: Seconds for the containers without a unit to start.
    """
    commands = [
        Command(("systemctl", "reset-failed", f"{UNIT_PREFIX}*")),
        Command(("systemctl", "start", "--no-block", "multi-user.target")),
    ]
    if services.units:
        commands.append(Command(("systemctl", "start", "--no-block", *services.units)))
    if services.containers:
        commands.append(Command(("podman", "container", "start", *services.containers), timeout_s=within_s))
    return Change(tuple(commands))


def check_running(services: Services, within_s: float) -> Change:
    """Wait until all of it runs that ran before; what does not is told by its name.

    Args:
        services: What ran before.
        within_s: Seconds until it must.
    """

    def look(shell: Shell) -> str:
        units = parse_units(shell.run(_UNITS).stdout)
        names = shell.run(_CONTAINERS).stdout.split()
        missing = [f"{unit} is {units.get(unit, 'gone')}" for unit in services.units if units.get(unit) not in _RUNS]
        missing += [f"container {name} does not run" for name in services.containers if name not in names]
        return "; ".join(missing) or _RUNNING

    return Change(
        (),
        until=Wait(
            "what ran before",
            _RUNNING,
            look,
            within_s,
            "see `systemctl status` of each unit that is named, and `podman logs` of its container; then start this again",
            every_s=1,
        ),
    )
