"""The file that is changed is the one that Ceilometer reads, whatever ceilometer.conf calls it; passwords in it stay there."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.command import script
from blocks.remote.errors import HostError
from tasks.telemetry import agent_config, polling
from tasks.telemetry.agent_config import AgentOptions, parse_options, read_options
from tasks.telemetry.polling import PollingFile, find_source, read_file, with_interval
from tests.unit.fakes import LocalShell

CONF = """[DEFAULT]
transport_url = rabbit://guest:Swordfish@192.0.2.1/
# cfg_file = /etc/ceilometer/commented.yaml
[polling]
batch_size = 50
cfg_file = {}
[service_credentials]
password = Swordfish
"""
TEXT = "sources:\n  - {{name: pollsters, interval: {}, meters: [cpu]}}\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", AgentOptions()),
        ("[polling]\ncfg_file=a.yaml\n[polling]\ncfg_file : b.yaml\n", AgentOptions("b.yaml")),
        ('[polling]\ncfg_file = "/x/a.yaml"\n', AgentOptions("/x/a.yaml")),
        ("[other]\ncfg_file = a.yaml\n", AgentOptions()),
        ("[DEFAULT]\npipeline_cfg_file = p.yaml\n", AgentOptions("", "p.yaml")),
        (
            "pipeline_cfg_file = p.yaml\n[polling]\n  cfg_file = a.yaml\n;cfg_file = b.yaml\ncfg_file\n",
            AgentOptions("", "p.yaml"),
        ),
    ],
)
def test_options_are_read_as_oslo_config_reads_them(text: str, options: AgentOptions) -> None:
    assert parse_options(text) == options


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    etc = tmp_path / "etc/ceilometer"
    etc.mkdir(parents=True)
    for module in (agent_config, polling):
        monkeypatch.setattr(module, "CONFIG", str(etc))
    monkeypatch.setattr(polling, "_INSTALLED", (str(etc / "polling.yaml"), str(etc / "pipeline.yaml")))
    monkeypatch.setattr(polling, "_GENERATED_ROOT", str(tmp_path / "generated"))
    monkeypatch.setattr(polling, "_GENERATED", (str(tmp_path / f"generated{etc}/polling.yaml"),))
    (etc / "polling.yaml").write_text(TEXT.format(300))
    return etc


def test_only_two_options_leave_the_host(etc: Path) -> None:
    (etc / "ceilometer.conf").write_text(CONF.format("a.yaml"))
    answer = LocalShell().run(script(agent_config._READ, "", str(etc), quiet=True, changes=False))
    assert answer.stdout == "[polling]\ncfg_file = a.yaml\n"
    (etc / "ceilometer.conf.d").mkdir()
    (etc / "ceilometer.conf.d/10.conf").write_text("[polling]\ncfg_file = b.yaml\n")
    assert read_options(LocalShell()) == AgentOptions("b.yaml")


@pytest.mark.parametrize("named", ["polling.yaml", "{etc}/polling.yaml", "", "''"])
def test_what_names_the_usual_file_changes_nothing(etc: Path, named: str) -> None:
    (etc / "ceilometer.conf").write_text(CONF.format(named.format(etc=etc)))
    assert read_file(LocalShell(), False) == PollingFile("here", str(etc / "polling.yaml"), TEXT.format(300))


@pytest.mark.parametrize("named", ["mine.yaml", "{etc}/mine.yaml"])
def test_another_file_that_is_named_is_the_one_that_is_read(etc: Path, named: str) -> None:
    (etc / "ceilometer.conf").write_text(CONF.format(named.format(etc=etc)))
    (etc / "mine.yaml").write_text(TEXT.format(600))
    read = read_file(LocalShell(), False)
    assert (read.path, find_source(read).interval_s) == (str(etc / "mine.yaml"), 600)


def test_one_that_is_named_and_not_there_is_refused(etc: Path) -> None:
    (etc / "ceilometer.conf").write_text(CONF.format("absent.yaml"))
    with pytest.raises(HostError, match=r"has no .*/absent\.yaml") as refused:
        read_file(LocalShell(), False)
    assert "ceilometer.conf names absent.yaml in [polling] cfg_file" in refused.value.hint


def test_pipeline_yaml_that_is_named_polls_by_all_of_its_sources(etc: Path) -> None:
    (etc / "ceilometer.conf").write_text(CONF.format("pipeline.yaml"))
    both = "sources:\n  - {name: all, interval: 60, meters: ['*']}\n  - {name: own, interval: 60, meters: [cpu]}\n"
    (etc / "pipeline.yaml").write_text(both)
    read = read_file(LocalShell(), False)
    with pytest.raises(HostError, match="several sources poll cpu: all, own"):
        with_interval(read, 300)
    assert find_source(PollingFile("osp-8", str(etc / "pipeline.yaml"), both)).name == "own"


def test_osp_8_may_name_its_pipeline(etc: Path) -> None:
    (etc / "polling.yaml").unlink()
    (etc / "mine.yaml").write_text(TEXT.format(600))
    (etc / "ceilometer.conf").write_text("[DEFAULT]\npipeline_cfg_file = mine.yaml\n")
    assert read_file(LocalShell(), False).path == str(etc / "mine.yaml")


def test_containers_have_what_lies_in_the_configuration_that_they_mount(etc: Path, tmp_path: Path) -> None:
    generated = tmp_path / f"generated{etc}"
    generated.mkdir(parents=True)
    (generated / "ceilometer.conf").write_text(CONF.format("mine.yaml"))
    (generated / "mine.yaml").write_text(TEXT.format(60))
    assert read_file(LocalShell(), True).path == str(generated / "mine.yaml")
    (generated / "ceilometer.conf").write_text(CONF.format("/opt/mine.yaml"))
    with pytest.raises(HostError, match=r"names /opt/mine\.yaml .* the containers have that of their own image"):
        read_file(LocalShell(), True)
