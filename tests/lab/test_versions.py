"""A host is the same with control groups of either version."""

import json
import sys
from pathlib import Path

import pytest

from tests.lab import Lab, one_host
from tests.lab.cgroups import of_machine
from tests.lab.shell import run


@pytest.mark.parametrize("version", [1, 2])
def test_a_host_boots_pauses_a_container_and_ends_with_it(lab: Lab, version: int, tmp_path: Path) -> None:
    base, machine = lab.base(), of_machine().version
    command = [sys.executable, "-m", "tests.lab.one_host", str(tmp_path / "disk"), base.lower, str(base.store)]
    if version < machine:
        pytest.skip("a kernel has each controller in one version only, and here that is version 2")
    if version > machine:
        command = one_host.on_version_2(command)
    assert json.loads(run(command, timeout=120).stdout) == {
        "version": version,
        "units that failed": "",
        "paused after pause, unpause, pause": ["counter", "", "counter"],
        "left after the power cut": [],
    }
