"""Faults that are real: services that are stopped, Debian's defects, servers that do not boot or cannot be reached."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.shell import LabError
from tests.openstack.machine import Machine

_LIBRARY = "/usr/local/lib/cloudlab"
_HEAT = "/usr/lib/python3/dist-packages"
# Name: what it is, what turns it on, what turns it off. Each command does nothing if the fault is as wanted already.
_PATCH = f"patch --strip=1 --force --silent --directory={_HEAT}"


def _defect(patch: str, units: str) -> tuple[str, str]:
    """Returns the commands that bring a defect of Debian's back, and mend it again."""
    file = f"{_LIBRARY}/patches/{patch}"
    apply, reverse = f"{_PATCH} < {file}", f"{_PATCH} --reverse < {file}"
    return (
        f"{_PATCH} --dry-run < {file} > /dev/null || {{ {reverse} && systemctl restart {units}; }}",
        f"{_PATCH} --dry-run --reverse < {file} > /dev/null || {{ {apply} && systemctl restart {units}; }}",
    )


_DROP = "INPUT --protocol tcp --destination-port 22 --jump DROP"
_EACH_MEMBER = "for id in $(ls /var/lib/nova/instances); do [ ! -e /run/netns/$id ] ||"
_SSH_ON = f"touch /run/faults/ssh; {_EACH_MEMBER} ip netns exec $id iptables --check {_DROP} 2> /dev/null || "
_SSH_ON += f"ip netns exec $id iptables --insert {_DROP}; done"
_SSH_OFF = f"rm -f /run/faults/ssh; {_EACH_MEMBER} while ip netns exec $id iptables --check {_DROP} 2> /dev/null; do "
_SSH_OFF += f"ip netns exec $id iptables --delete {_DROP}; done; done"
_KILLER = "fault-load"

FAULTS: dict[str, tuple[str, str, str]] = {
    "ceilometer": (
        "nothing polls the servers",
        "systemctl stop ceilometer-polling",
        "systemctl start ceilometer-polling",
    ),
    "notification": (
        "nothing takes what Ceilometer has polled",
        "systemctl stop ceilometer-agent-notification",
        "systemctl start ceilometer-agent-notification",
    ),
    "metricd": (
        "nothing works off Gnocchi's measures",
        "systemctl stop gnocchi-metricd",
        "systemctl start gnocchi-metricd",
    ),
    "alarm-api": (
        "nothing answers who asks for alarms; they are evaluated all the same",
        "systemctl stop aodh-api",
        "systemctl start aodh-api",
    ),
    "evaluator": (
        "nothing evaluates alarms",
        "systemctl stop aodh-evaluator",
        "systemctl start aodh-evaluator",
    ),
    "heat-signal": (
        "Debian's Heat: every signal to a scaling policy fails with AuthorizationFailure",
        *_defect("heat-signal.patch", "heat-engine"),
    ),
    "webhook": (
        "Debian's Heat: every alarm_url answers 403",
        *_defect("heat-webhook.patch", "heat-api-cfn"),
    ),
    "boot": (
        "servers that are made while it is on end in ERROR",
        "touch /run/faults/boot",
        "rm -f /run/faults/boot",
    ),
    "ssh": ("no server's sshd can be reached", _SSH_ON, _SSH_OFF),
    # Servers' processes are in namespaces below the controller's, which sees them all.
    "load": (
        "whatever keeps a server's CPU busy is killed every few seconds",
        f"systemctl --quiet is-active {_KILLER} || systemd-run --quiet --collect --unit={_KILLER} "
        "bash -c 'while sleep 5; do pkill --exact dd; done'",
        f"! systemctl --quiet is-active {_KILLER} || systemctl stop {_KILLER}",
    ),
}


class Faults:
    """The faults of a cloud that is up."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def on(self, name: str) -> None:
        """Turns a fault on; it may be on already."""
        self._machine.exec(_known(name)[1])

    def off(self, name: str) -> None:
        """Turns a fault off; it may be off already."""
        self._machine.exec(_known(name)[2])

    def clear(self) -> None:
        """Turns every fault off."""
        for name in FAULTS:
            self.off(name)

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        """Keeps a fault on for the length of a block."""
        self.on(name)
        try:
            yield
        finally:
            self.off(name)


def _known(name: str) -> tuple[str, str, str]:
    if name not in FAULTS:
        raise LabError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
    return FAULTS[name]
