"""Hosts with a floor refuse, and hosts without one do not: `make test-lab FLOOR=rhel-8.2`."""

import pytest

from tests.lab import Lab
from tests.lab.floors import NO_FLOOR

_CONTAINER = "$(podman ps --quiet --filter name=galera-bundle)"


@pytest.fixture
def floor(lab: Lab) -> bool:
    """Whether the lab that is up has a floor."""
    kind = lab.kind()
    assert kind is not None
    return kind.floor != NO_FLOOR


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (f"podman exec --detach {_CONTAINER} true", "Error: unknown flag: --detach"),
        (f"/usr/bin/podman exec -d {_CONTAINER} true", "Error: unknown shorthand flag: 'd' in -d"),
        (
            "systemd-run --quiet --collect -p StandardOutput=append:/root/floor true",
            "Failed to start transient service unit: Invalid StandardOutput setting: append:/root/floor",
        ),
        ("systemctl list-units --with-dependencies", "systemctl: unrecognized option '--with-dependencies'"),
    ],
)
def test_what_the_old_versions_refuse_is_refused(lab: Lab, floor: bool, command: str, words: str) -> None:
    done = lab.exec("controller-0", command, check=False)
    assert (words in done.stderr) is floor, done.stderr
    assert (done.returncode != 0) is floor


def test_what_the_old_versions_know_works_over_ssh_and_in_units(lab: Lab) -> None:
    unit = "systemd-run --quiet --collect --wait -p Type=exec -p ExecStopPost=/usr/bin/podman\\ --version"
    lab.machines.ssh("controller-0", f"sudo {unit} podman ps --all && sudo systemctl is-active pacemaker")
