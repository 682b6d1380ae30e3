"""Of five hundred inputs that somebody has spoilt none ends in anything but the project's own errors, which name the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from blocks.keys import KeyFileError
from blocks.remote import secrets
from blocks.remote.errors import RunbookError
from blocks.remote.known_hosts import UnusableLine
from blocks.remote.secrets import mask
from blocks.site_file import SiteFileError, read_site, unpinned_roles
from tasks.autoscaling.group.settings import check_sizes
from tasks.database.dump_look import Loader
from tasks.database.dumps import read_file
from tasks.database.mariadb import Version
from tasks.heat.environments import hooked_resources
from tasks.heat.source import StackSource
from tasks.heat.templates import parameter_values, read_template, required_types, resource_uses
from tasks.openstack.resource_types import ResourceType, find_problems, types_to_look_up
from tasks.runbooks.restore_galera.files import look_at_files
from tasks.telemetry import kolla
from tasks.telemetry.polling import PollingFile, find_source, is_broken, with_interval
from tasks.telemetry.polling_backups import may_replace
from tests.site_files import write_site
from tests.unit.cloud_api import CLOUDS_YAML, FakeApi, install, overcloud
from tests.unit.fakes import LocalShell
from tests.unit.mutated_inputs import samples
from tests.unit.mutated_inputs.mutations import mutate
from tests.unit.tasks.database.dump_text import FOOTER, header, schema
from tests.unit.tasks.telemetry import test_kolla as kolla_container

OURS = (RunbookError, SiteFileError, KeyFileError, UnusableLine)
# Reads the spoilt input; what it returns are the reasons that it gives without raising them.
Reader = Callable[[bytes], list[str] | None]


def see_that_it_bears(kind: str, text: str, count: int, name: str, read: Reader) -> None:
    """Spoil an input so many times; every error is ours, names the input, and shows no secret."""
    wrong, refused = [], 0
    for number in range(count):
        data = mutate(text, kind, number)
        try:
            said = read(data) or []
        except OURS as error:
            said = [str(error)]
        except Exception as error:  # noqa: BLE001 - what is looked for
            wrong.append(f"{kind} {number}: {type(error).__name__}: {error}")
            continue
        refused += bool(said)
        wrong += [f"{kind} {number} does not name it: {each}" for each in said if name not in each]
        wrong += [f"{kind} {number} shows the secret: {each}" for each in said if samples.SECRET in mask(each)]
    assert wrong == []
    assert refused > count / 10, "what is spoilt so little shows nothing"


def prepared(stack_template: Path, environments: list[Path]) -> None:
    """All that preflight makes of the files before it asks the cloud."""
    files = read_template(stack_template, environments)
    source = StackSource(files, {"size": 3})
    json.dumps(source.body, allow_nan=False)
    source.register_secrets()
    assert source.matches(files.template, source.environment, source.files)
    values = parameter_values(files.template, source.environment)
    required_types(files)
    find_problems(files, dict.fromkeys(types_to_look_up(files), ResourceType("SUPPORTED")))
    check_sizes(files.template, values)
    hooked_resources(files.environment)
    resource_uses(files)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(secrets, "_known", set())
    (tmp_path / "boot.sh").write_text("#!/bin/sh\n")
    (tmp_path / "member.yaml").write_text(samples.MEMBER)
    (tmp_path / "plain.yaml").write_text(samples.TEMPLATE)
    return tmp_path


@pytest.mark.parametrize(("text", "count"), [(samples.TEMPLATE, 80), (samples.TEMPLATE_JSON, 30)])
def test_templates(folder: Path, text: str, count: int) -> None:
    path = folder / "mine.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        prepared(path, [])

    see_that_it_bears("template", text, count, "mine.yaml", read)


def test_nested_templates(folder: Path) -> None:
    def read(data: bytes) -> None:
        (folder / "member.yaml").write_bytes(data)
        prepared(folder / "plain.yaml", [])

    see_that_it_bears("nested template", samples.MEMBER, 30, "member.yaml", read)


def test_environments(folder: Path) -> None:
    path = folder / "env.yaml"

    def read(data: bytes) -> None:
        path.write_bytes(data)
        prepared(folder / "plain.yaml", [path])

    see_that_it_bears("environment", samples.ENVIRONMENT, 100, "env.yaml", read)


def test_polling_files() -> None:
    path = "/etc/ceilometer/polling.yaml"
    good = PollingFile("compute-0", path, samples.POLLING)

    def read(data: bytes) -> list[str]:
        file = PollingFile("compute-0", path, data.decode(errors="replace"))
        may_replace(file, good)
        may_replace(good, file)
        broken = is_broken(file)
        try:
            changed = PollingFile("compute-0", path, with_interval(file, 77))
        except RunbookError as error:
            return [str(error)]
        assert not broken
        assert find_source(changed).interval_s == 77
        assert may_replace(changed, file)
        return []

    see_that_it_bears("polling file", samples.POLLING, 80, path, read)


def test_config_json_of_kolla_ansible_s_containers() -> None:
    path = f"{kolla_container.FOLDER}/config.json"

    def read(data: bytes) -> None:
        shell = kolla_container.host().on("config.json", say=f"{path}\n{data.decode(errors='replace')}")
        kolla.read_file(shell, "docker")

    good = kolla_container.config("/etc/ceilometer/polling.yaml")
    see_that_it_bears("config.json", good, 60, path, read)


@pytest.fixture
def cloud(folder: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    api = install(monkeypatch, folder)
    answer = api.send

    def send(request: requests.PreparedRequest) -> requests.Response:
        try:
            return answer(request)
        except AssertionError:
            raise requests.ConnectionError(f"nobody is at {request.url}") from None

    monkeypatch.setattr(api, "send", send)
    return api


def test_clouds_yaml(cloud: FakeApi, folder: Path) -> None:
    def read(data: bytes) -> None:
        (folder / "clouds.yaml").write_bytes(data)
        overcloud().offers("metric")

    see_that_it_bears("clouds.yaml", CLOUDS_YAML, 70, "overcloud", read)


def at_site(folder: Path, name: str) -> Reader:
    """Read a site with one file of another content."""

    def read(data: bytes) -> list[str]:
        file = write_site(folder / "site")
        (file.parent / name).write_bytes(data)
        said = unpinned_roles(read_site(file))
        return [said] if said else []

    return read


def test_inventories(folder: Path) -> None:
    see_that_it_bears("inventory", samples.INVENTORY, 40, "lab", at_site(folder, "inventory.yaml"))


def test_known_hosts(folder: Path) -> None:
    write_site(folder / "site")
    text = (folder / "site/known_hosts").read_text()
    see_that_it_bears("known_hosts", text, 30, "known_hosts", at_site(folder, "known_hosts"))


LOADER = Loader("", Version(10, 3), "/nonexistent")
DUMP = header() + schema("nova") + schema("keystone") + FOOTER


def looked_at(folder: Path, dump: bytes, grants: bytes) -> list[str]:
    (folder / "dump.sql").write_bytes(dump)
    (folder / "grants.sql").write_bytes(grants)
    shell = LocalShell()
    read_dump, read_grants = (read_file(shell, str(folder / name)) for name in ("dump.sql", "grants.sql"))
    looked = look_at_files(shell, read_dump, read_grants, LOADER, readable=True)
    return [str(check) for check in looked.checks if not check.ok]


def test_heads_and_tails_of_dumps(folder: Path) -> None:
    def read(data: bytes) -> list[str]:
        return looked_at(folder, data, samples.GRANTS.encode())

    see_that_it_bears("dump", DUMP, 20, "dump.sql", read)


def test_grants(folder: Path) -> None:
    def read(data: bytes) -> list[str]:
        return looked_at(folder, DUMP.encode(), data)

    see_that_it_bears("grants", samples.GRANTS, 20, "grants.sql", read)
