"""What is looked up by name is found, or is not there; a service that has no such list is another matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.cloud_errors import NotFound
from tasks.openstack.named import find_named
from tests.unit.cloud_api import FakeApi, install, overcloud


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    made = install(monkeypatch, tmp_path)
    return made.on("GET", "compute", "/flavors/m1[.].+", say=404)  # nothing has such an id


def flavors(*names: str) -> dict[str, list[dict[str, str]]]:
    return {"flavors": [{"id": f"id-of-{name}", "name": name} for name in names]}


def test_what_bears_the_name_is_found(api: FakeApi) -> None:
    api.on("GET", "compute", "/flavors/detail", say=flavors("m1.tiny", "m1.large"))
    with overcloud().request("look for the flavor") as sdk:
        found = find_named(sdk.compute.find_flavor, "m1.large")
    assert found is not None
    assert found.id == "id-of-m1.large"


def test_what_nothing_bears_is_none(api: FakeApi) -> None:
    api.on("GET", "compute", "/flavors/detail", say=flavors("m1.tiny"))
    with overcloud().request("look for the flavor") as sdk:
        assert find_named(sdk.compute.find_flavor, "m1.large") is None


def test_a_service_without_such_a_list_is_not_taken_for_an_empty_one(api: FakeApi) -> None:
    api.on("GET", "compute", "/flavors/detail", say=404)
    with pytest.raises(NotFound), overcloud().request("look for the flavor") as sdk:
        find_named(sdk.compute.find_flavor, "m1.large")
