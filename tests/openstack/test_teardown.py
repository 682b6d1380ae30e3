"""Taking the cloud down. Run with `-m openstack_teardown`: it ends the cloud that other tests use."""

from typing import Any

import pytest

from tests.lab.shell import LabError
from tests.openstack import Cloud
from tests.openstack.servers import create

pytestmark = pytest.mark.openstack_teardown


def test_down_leaves_nothing_behind(cloud: Cloud, project: Any) -> None:
    project.compute.wait_for_server(create(project, "left"), interval=0.3, wait=60)
    assert cloud.leftovers() != []
    cloud.down()
    assert cloud.leftovers() == []


def test_down_twice_is_no_error() -> None:
    cloud = Cloud()
    cloud.down()
    cloud.down()
    with pytest.raises(LabError, match="is off"):
        cloud.exec("true")
