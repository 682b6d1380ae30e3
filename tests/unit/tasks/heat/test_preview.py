"""What Heat says of a template and of its types before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.cloud_errors import RequestRejected
from tasks.heat.preview import offered_types, validate_template
from tasks.heat.source import StackSource
from tasks.heat.templates import StackFiles
from tests.unit.cloud_api import FakeApi, fail, install, overcloud

SOURCE = StackSource(
    StackFiles({"t": 1}, {"parameter_defaults": {"image": "x"}}, {"file:///n.yaml": "{}"}), {"key": "k"}
)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeApi:
    return install(monkeypatch, tmp_path)


def test_names_the_parameters_that_nothing_is_said_about(api: FakeApi) -> None:
    said = {"image": {}, "key": {}, "size": {"Default": 3}, "network": {"Type": "String"}, "flavor": {}}
    api.on("POST", "orchestration", "/validate", say={"Description": "", "Parameters": said})
    assert validate_template(overcloud(), SOURCE) == ["flavor", "network"]
    assert api.asked[-1].body == SOURCE.body


def test_a_template_without_parameters_lacks_none(api: FakeApi) -> None:
    api.on("POST", "orchestration", "/validate", say={"Description": "x"})
    assert validate_template(overcloud(), SOURCE) == []


def test_a_template_that_heat_refuses_is_an_error_with_its_words(api: FakeApi) -> None:
    api.on("POST", "orchestration", "/validate", say=fail(400, "Unknown Property cooldwn"))
    with pytest.raises(RequestRejected, match="could not validate the template: Unknown Property cooldwn"):
        validate_template(overcloud(), SOURCE)


@pytest.mark.parametrize("listed", [["A", "B"], [{"resource_type": "A", "description": ""}, {"resource_type": "B"}]])
def test_lists_the_types_that_are_offered(api: FakeApi, listed: list[object]) -> None:
    api.on("GET", "orchestration", "/resource_types", say={"resource_types": listed})
    assert offered_types(overcloud()) == {"A", "B"}
