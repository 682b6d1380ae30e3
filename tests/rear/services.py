"""What the lab's controllers run besides the database, as TripleO has it: containers, and health checks that restart what fails."""

from __future__ import annotations

from tests.lab import Lab
from tests.lab.settings import CONTROLLERS

# A container that takes a little processor time all the time, and a health check of it, which restarts it where it fails.
_START = """
image=$(podman inspect --type=container --format '{{.Image}}' clustercheck)
podman rm --force keystone >/dev/null 2>&1 || :
podman run --detach --name keystone --net=none --entrypoint bash "$image" \\
  -c 'trap exit TERM; while :; do for i in {1..2000}; do :; done; sleep 0.05; done'
cat >/etc/systemd/system/tripleo_keystone_healthcheck.service <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'podman exec keystone true || podman restart --time 0 keystone'
UNIT
cat >/etc/systemd/system/tripleo_keystone_healthcheck.timer <<'UNIT'
[Timer]
OnActiveSec=2
OnUnitActiveSec=2
AccuracySec=100ms
[Install]
WantedBy=timers.target
UNIT
systemctl daemon-reload
systemctl enable --now tripleo_keystone_healthcheck.timer
"""
_STOP = """
systemctl disable --now tripleo_keystone_healthcheck.timer
rm -f /etc/systemd/system/tripleo_keystone_healthcheck.*
systemctl daemon-reload
podman rm --force keystone >/dev/null
"""
# Everything that a backup must leave as it was: when each container was started says whether somebody has restarted it.
_STATE = """
for name in keystone clustercheck; do
  podman inspect --type=container --format "$name {{.State.Status}} {{.State.StartedAt.Unix}}" "$name"
done
systemctl is-active tripleo_keystone_healthcheck.timer pacemaker.service
"""
_TICKS = "awk '{ print $14 + $15 }' /proc/$(podman inspect --type=container --format '{{.State.Pid}}' keystone)/stat"


def start(lab: Lab) -> None:
    """Start them on every controller."""
    for name in CONTROLLERS:
        lab.exec(name, _START)


def stop(lab: Lab) -> None:
    """Take them away."""
    for name in CONTROLLERS:
        lab.exec(name, _STOP)


def state(lab: Lab) -> dict[str, str]:
    """What each controller says of them."""
    return {name: lab.exec(name, _STATE, check=False).stdout for name in CONTROLLERS}


def processor_time(lab: Lab, name: str) -> int:
    """The processor time that the container has had, in clock ticks."""
    return int(lab.exec(name, _TICKS).stdout)
