"""The file that kolla-ansible's container polls by, found by looking, and every way in which changing it would have no effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from blocks.remote.errors import HostError
from tasks.engine.step import apply_change
from tasks.telemetry import kolla
from tasks.telemetry.polling import PollingFile, find_source
from tests.unit.fakes import FakeShell, LocalShell, silent

FOLDER = "/etc/kolla/ceilometer-compute"
INSIDE = "/var/lib/kolla/config_files"
# What docker prints of a container's mounts, and what it adds where the files are copied once.
MOUNTS = f"/var/lib/libvirt /var/lib/docker/volumes/nova_libvirt/_data\n/dev \n{INSIDE} {{}}\n"
COPY_ONCE = "KOLLA_CONFIG_STRATEGY=COPY_ONCE\n"
TEXT = "sources:\n  - {name: pollsters, interval: 300, meters: [cpu]}\n"


def config(*targets: str) -> str:
    """The folder's config.json, as kolla-ansible writes it, with these files."""
    names = [(target if not target.endswith("/") else "polling.yaml").rpartition("/")[2] for target in targets]
    pairs = [*zip(names, targets, strict=True), ("ceilometer.conf", "/etc/ceilometer/ceilometer.conf")]
    files = [{"source": f"{INSIDE}/{name}", "dest": to, "owner": "ceilometer", "perm": "0600"} for name, to in pairs]
    return json.dumps({"command": "ceilometer-polling --polling-namespaces compute", "config_files": files}, indent=4)


def host(engine: str = "docker", name: str = "compute-0") -> FakeShell:
    """A compute node of kolla-ansible, with a polling.yaml of the operator's own."""
    shell = FakeShell(name, otherwise="").on(engine, "inspect", say=MOUNTS.format(FOLDER))
    config_json = f"{FOLDER}/config.json\n{config('/etc/ceilometer/polling.yaml')}"
    shell.on("config.json", say=config_json)
    return shell.on(f" {FOLDER}/polling.yaml", say=f"{FOLDER}/polling.yaml\n{TEXT}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a container on this machine, as docker's inspection tells it."""
    folder = tmp_path / "kolla"
    folder.mkdir()
    inspect(tmp_path, MOUNTS.format(folder))
    (folder / "config.json").write_text(config("/etc/ceilometer/polling.yaml"))
    (folder / "ceilometer.conf").write_text("[DEFAULT]\ntransport_url = rabbit://a:Swordfish@192.0.2.1/\n")
    (folder / "polling.yaml").write_text(TEXT)
    return folder


def inspect(programs: Path, says: str) -> None:
    (programs / "docker").write_text(f"#!/bin/bash\n[ $1 = inspect ] && printf '%s' '{says}'\n")
    (programs / "docker").chmod(0o755)


def read(folder: Path) -> PollingFile:
    return kolla.read_file(LocalShell(folder.parent), "docker")


@pytest.mark.parametrize("target", ["/etc/ceilometer/polling.yaml", "/etc/ceilometer/"])
def test_the_file_is_the_one_that_is_copied_into_the_container(folder: Path, target: str) -> None:
    (folder / "config.json").write_text(config(target))
    file = read(folder)
    assert (file.path, find_source(file).interval_s) == (str(folder / "polling.yaml"), 300)
    assert "kolla-ansible reconfigure" in file.overwritten
    assert "ceilometer/polling.yaml of kolla-ansible's node_custom_config (/etc/kolla/config" in file.overwritten


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_the_engine_that_runs_it_is_asked(engine: str) -> None:
    shell = host(engine)
    assert kolla.read_file(shell, engine).path == f"{FOLDER}/polling.yaml"
    assert shell.ran[0].words[:2] == (engine, "inspect")


def test_config_yaml_counts_where_both_are_there(folder: Path) -> None:
    (folder / "config.yaml").write_text(
        f"config_files:\n- {{source: {INSIDE}/mine.yaml, dest: /etc/ceilometer/polling.yaml}}\n"
    )
    (folder / "mine.yaml").write_text(TEXT)
    assert read(folder).path == str(folder / "mine.yaml")


def test_another_file_that_ceilometer_conf_names_is_the_one(folder: Path) -> None:
    (folder / "ceilometer.conf").write_text("[polling]\ncfg_file = mine.yaml\n")
    with pytest.raises(HostError, match=r"copies nothing to /etc/ceilometer/mine\.yaml") as refused:
        read(folder)
    assert "begin with that one (`docker exec ceilometer_compute cat /etc/ceilometer/mine.yaml`)" in refused.value.hint
    (folder / "config.json").write_text(config("/etc/ceilometer/mine.yaml"))
    (folder / "mine.yaml").write_text(TEXT)
    assert (read(folder).path, read(folder).named_by_config) == (str(folder / "mine.yaml"), True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (config(), "copies nothing to /etc/ceilometer/polling.yaml: ceilometer_compute polls by the file of its image"),
        ("{", "it can't be read at line"),
        ("[]", "it has no list config_files"),
        ('{"config_files": "none"}', "it has no list config_files"),
        ('{"config_files": ["polling.yaml"]}', "it has no list config_files"),
        (
            '{"config_files": [{"source": "/etc/mine.yaml", "dest": "/etc/ceilometer/polling.yaml"}]}',
            "polls by the file of its image",
        ),
    ],
)
def test_a_file_that_no_start_would_bring_is_refused_with_what_to_do(folder: Path, text: str, said: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(HostError) as refused:
        read(folder)
    assert f"{folder}/config.json" in refused.value.message
    assert said in refused.value.message
    assert "kolla-ansible reconfigure --tags ceilometer" in refused.value.hint


@pytest.mark.parametrize("missing", ["config.json", "polling.yaml"])
def test_a_file_that_is_missing_is_named(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(HostError, match=f"has no .*{missing}") as refused:
        read(folder)
    assert "node_custom_config" in refused.value.hint


def test_a_container_that_copies_its_files_once_is_refused(folder: Path) -> None:
    inspect(folder.parent, MOUNTS.format(folder) + COPY_ONCE)
    with pytest.raises(HostError, match="keeps the files of its first start") as refused:
        read(folder)
    assert "makes it anew" in refused.value.hint


def test_a_container_without_the_folder_is_refused(folder: Path) -> None:
    inspect(folder.parent, "/var/lib/libvirt /var/lib/libvirt\n")
    with pytest.raises(HostError, match="has no folder of the host at /var/lib/kolla/config_files") as refused:
        read(folder)
    assert "docker inspect ceilometer_compute" in refused.value.hint


# A unit is there, is not, or does not know that its container runs: the container is another process afterwards in each case.
_TOOL = """#!/bin/bash
echo "$(basename "$0") $*" >>"$(dirname "$0")/said"
[ "$1" != cat ] || exec {unit}
"""


@pytest.mark.parametrize("engine", ["docker", "podman"])
@pytest.mark.parametrize("unit", ["true", "false"])
def test_a_container_is_restarted_through_its_unit_where_it_has_one(tmp_path: Path, engine: str, unit: str) -> None:
    for name in ("systemctl", engine):
        (tmp_path / name).write_text(_TOOL.format(unit=unit))
        (tmp_path / name).chmod(0o755)
    apply_change(LocalShell(tmp_path), kolla.restart(engine, "ceilometer_compute"), silent)
    said = (tmp_path / "said").read_text().splitlines()
    service = "kolla-ceilometer_compute-container.service"
    through_unit = [
        f"systemctl cat {service}",
        f"systemctl stop {service}",
        f"{engine} stop -t 60 ceilometer_compute",
        f"systemctl reset-failed {service}",
        f"systemctl start {service}",
    ]
    by_itself = [f"systemctl cat {service}", f"{engine} restart -t 60 ceilometer_compute"]
    assert said == (through_unit if unit == "true" else by_itself)
