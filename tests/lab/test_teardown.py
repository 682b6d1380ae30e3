"""Taking the lab down. Run with `-m lab_teardown`: it ends the lab that other tests use."""

import pytest

from tests.lab import Lab, LabError

pytestmark = pytest.mark.lab_teardown


def test_down_leaves_nothing_behind(lab: Lab) -> None:
    # What is frozen does not die from a signal, so a paused container is the hard case.
    lab.exec("controller-0", "podman pause clustercheck")
    assert lab.leftovers() != []
    lab.down()
    assert lab.leftovers() == []


def test_down_twice_is_no_error() -> None:
    lab = Lab()
    lab.down()
    lab.down()
    with pytest.raises(LabError, match="is off"):
        lab.exec("controller-0", "true")
