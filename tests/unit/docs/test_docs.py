"""Commands, links, parameters and messages that the documents name are there."""

from __future__ import annotations

import ast
import inspect
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore, EventTrigger
from prefect.events.schemas.events import ResourceSpecification

from deployments.project import PROJECT
from flows.backup_control_plane import backup_control_plane
from flows.backup_undercloud import backup_undercloud
from flows.check_autoscaling import check_autoscaling
from flows.check_web_autoscaling import check_web_autoscaling
from flows.deploy_stack import deploy_stack
from flows.install_rear import install_rear
from flows.prepare_backup_node import prepare_backup_node
from flows.prune_backups import prune_backups
from flows.restore_accounts import restore_accounts
from flows.restore_galera import restore_galera
from flows.restore_node import restore_node
from flows.restore_schemas import restore_schemas
from flows.restore_undercloud_database import restore_undercloud_database
from flows.resume_control_plane import resume_control_plane
from flows.set_telemetry_interval import set_telemetry_interval
from flows.verify_backup import verify_backup
from tests.unit.docs.markdown import DOCS, OPERATING, README, anchors, code, every_file, links, table

EVERY_FILE = pytest.mark.parametrize("file", every_file(), ids=lambda file: str(file.relative_to(PROJECT)))
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
FLOWS: list[Flow[..., Any]] = [
    restore_galera,
    restore_undercloud_database,
    restore_schemas,
    restore_accounts,
    deploy_stack,
    set_telemetry_interval,
    check_autoscaling,
    check_web_autoscaling,
    prune_backups,
    verify_backup,
    backup_control_plane,
    backup_undercloud,
    prepare_backup_node,
    install_rear,
    resume_control_plane,
    restore_node,
]


def test_what_is_looked_for_would_be_found() -> None:
    assert {"deployments/sites/example.toml", "CHANGELOG.md"} <= set(links(README))
    assert {"make demo", "# make test"} <= set(code(README))
    assert "server-and-worker" in anchors(OPERATING)


@EVERY_FILE
def test_links_resolve(file: Path) -> None:
    for link in links(file):
        path, _, anchor = link.partition("#")
        target = (file.parent / path).resolve() if path else file
        assert target.exists(), link
        assert target.is_relative_to(PROJECT), link
        if anchor:
            assert anchor in anchors(target), link


@EVERY_FILE
def test_what_make_is_asked_for_can_be_made(file: Path) -> None:
    targets = set(re.findall(r"^([A-Za-z0-9./-]+):(?!=)", MAKEFILE, re.MULTILINE))
    named = [found[1] for line in code(file) if (found := re.match(r"(?:[#$] )?make (?:[A-Z]+=\S+ )?([\w./-]+)", line))]
    assert set(named) <= targets


def test_the_readme_names_all_that_can_be_made() -> None:
    told = set(re.findall(r"^([a-z-]+):.*##", MAKEFILE, re.MULTILINE))
    assert told
    assert told <= {line.removeprefix("make ") for line in code(README)}


@EVERY_FILE
def test_modules_that_are_run_are_there(file: Path) -> None:
    for line in code(file):
        for module in re.findall(r"python -m ([\w.]+)", line):
            assert find_spec(module) is not None, line


@EVERY_FILE
def test_parameters_of_runs_are_the_flows(file: Path) -> None:
    for line in code(file):
        flow = next((flow for flow in FLOWS if f"deployment run {flow.name} " in f"{line} "), restore_galera)
        assert set(re.findall(r"-p (\w+)=", line)) <= set(inspect.signature(flow.fn).parameters), line


@pytest.mark.parametrize(
    ("flow", "heading"),
    [
        (restore_galera, "Parameter"),
        (restore_undercloud_database, "Parameter of restore-undercloud-database"),
        (restore_schemas, "Parameter of restore-schemas"),
        (restore_accounts, "Parameter of restore-accounts"),
    ],
)
def test_every_parameter_is_told_with_its_default(flow: Flow[..., Any], heading: str) -> None:
    file = DOCS / "restore-schemas.md" if flow in (restore_schemas, restore_accounts) else OPERATING
    told = {row[0].strip("`"): row[1].strip("`") for row in table(file, heading)}
    parameters = inspect.signature(flow.fn).parameters
    assert list(told) == list(parameters)
    for name, parameter in parameters.items():
        required = "the only one" if name == "site" else "must be given"
        words = {None: "–", inspect.Parameter.empty: required, False: "false"}
        default = parameter.default
        assert told[name] == (words[default] if default in words else str(default)), name


def test_every_parameter_of_a_backup_is_told() -> None:
    rows = table(DOCS / "backups.md", "Parameter")
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert told | {"site"} == set(inspect.signature(backup_control_plane.fn).parameters)
    of_the_control_plane = {"drain_timeout_s", "roles", "availability"}
    assert set(inspect.signature(backup_undercloud.fn).parameters) == told - of_the_control_plane | {"site"}


def test_every_parameter_of_the_runbooks_of_images_is_told_with_its_default() -> None:
    rows = table(DOCS / "images.md", "Parameter")
    for flow in (prepare_backup_node, install_rear):
        told = {row[0].strip("`"): row[2].strip("`") for row in rows if row[1].strip("`") in {"both", flow.name}}
        parameters = {
            name: each.default for name, each in inspect.signature(flow.fn).parameters.items() if name != "site"
        }
        assert told == {name: json.dumps(default) for name, default in parameters.items()}


def test_every_parameter_of_resuming_is_told_with_its_default() -> None:
    told = {row[0].strip("`"): row[1].strip("`") for row in table(DOCS / "images.md", "Resume parameter")}
    parameters = inspect.signature(resume_control_plane.fn).parameters
    assert told == {name: json.dumps(each.default) for name, each in parameters.items() if name != "site"}


def test_every_parameter_of_restoring_nodes_is_told_with_its_default() -> None:
    told = {
        row[0].strip("`"): row[1].strip("`") for row in table(DOCS / "restore-node.md", "Parameter of restore-node")
    }
    parameters = inspect.signature(restore_node.fn).parameters
    assert told == {
        name: "the only one" if name == "site" else json.dumps(each.default) for name, each in parameters.items()
    }


def _said() -> str:
    """Every string of the code, one a line; a string in parts counts as one."""
    found = []
    for folder in ("flows", "tasks", "blocks", "deployments"):
        for file in (PROJECT / folder).rglob("*.py"):
            nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            found += [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(found)


def test_every_refusal_that_is_explained_is_one_that_the_code_has() -> None:
    said = _said()
    rows = [row for file in (OPERATING, DOCS / "backups.md", DOCS / "images.md") for row in table(file, "It says")]
    rows += table(DOCS / "restore-schemas.md", "Message of restore-schemas")
    rows += table(DOCS / "restore-node.md", "Message of restore-node")
    phrases = [phrase for row in rows for phrase in re.findall(r"`([^`]+)`", row[0])]
    assert len(phrases) > 25
    assert [phrase for phrase in phrases if phrase not in said] == []


def test_the_automation_that_raises_an_alarm_is_one_that_prefect_takes() -> None:
    text = (DOCS / "from-cron.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml\n(name: .*?)^```", text, re.MULTILINE | re.DOTALL)
    automation = AutomationCore.model_validate(yaml.safe_load(shown))
    assert isinstance(automation.trigger, EventTrigger)
    deployed = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    tags = {tag for deployment in deployed if deployment.get("schedules") for tag in deployment["tags"]}
    related = automation.trigger.match_related
    assert isinstance(related, ResourceSpecification)
    watched = {tag.removeprefix("prefect.tag.") for tag in related["prefect.resource.id"]}
    assert watched <= tags
    assert all(watched & set(deployment["tags"]) for deployment in deployed if deployment.get("schedules"))
