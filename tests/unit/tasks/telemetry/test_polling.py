"""Ceilometer's polling interval: found, changed without touching anything else, put back."""

import shutil
from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed, HostError
from tasks.engine.step import apply_change
from tasks.telemetry.polling import (
    PollingFile,
    Source,
    backup_path,
    find_source,
    interval_warnings,
    read_file,
    with_interval,
)
from tasks.telemetry.polling_backups import may_replace, read_backup, read_stamps
from tasks.telemetry.polling_changes import put_back, set_interval
from tests.unit.fakes import LocalShell, silent

POLLING = """---
# written by puppet, %{dont} touch
sources:
    - name: some_pollsters
      interval: 300   # five minutes
      meters:
        - cpu
        - "memory.usage"

    - {name: slow, interval: 3600, meters: [disk.*, network.*]}
"""
PIPELINE = """---
sources:
    - name: meter_source
      interval: 600
      meters:
          - "*"
      sinks:
          - meter_sink
    - name: cpu_source
      interval: 600
      meters:
          - "cpu"
      sinks: [cpu_sink]
sinks:
    - name: meter_sink
      transformers:
      publishers:
          - notifier://
"""
# AS 1.2 step 4 as it is printed: the indentation is lost.
PRINTED = '- name: cpu_source\ninterval: 60\nmeters:\n- "cpu"\nsinks:\n- cpu_sink\n'


STAMP, OLDER = "20261121T123456Z", "20251121T000000Z"


def file(text: str, path: str = "/etc/ceilometer/polling.yaml") -> PollingFile:
    return PollingFile("compute-0", path, text)


def test_only_the_interval_s_own_characters_change() -> None:
    assert with_interval(file(POLLING), 60) == POLLING.replace("interval: 300 ", "interval: 60 ")


def test_on_osp_8_cpu_source_counts_and_not_the_source_of_all_meters() -> None:
    pipeline = file(PIPELINE, "/etc/ceilometer/pipeline.yaml")
    assert find_source(pipeline) == Source("cpu_source", 600, 9, 16)
    assert with_interval(pipeline, 60) == PIPELINE[::-1].replace("006", "06", 1)[::-1]


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_line_ends_and_a_missing_last_one_stay(end: str) -> None:
    text = POLLING.rstrip("\n").replace("\n", end)
    assert with_interval(file(text), 5) == text.replace(": 300", ": 5")


def test_a_source_in_one_line_is_changed_too() -> None:
    text = "sources: [{name: a, interval: 300, meters: [cpu]}, {name: b, interval: 300, meters: [disk]}]\n"
    assert with_interval(file(text), 60) == text.replace("300", "60", 1)


@pytest.mark.parametrize("meters", ['["*"]', '["cpu*"]', '["!disk"]', '["c?u"]'])
def test_a_wildcard_polls_cpu_too(meters: str) -> None:
    assert find_source(file(f"sources: [{{name: all, interval: 300, meters: {meters}}}]")).name == "all"


@pytest.mark.parametrize("meters", ['["memory"]', '["*", "!cpu"]', '["cpu.*"]'])
def test_without_a_source_that_polls_cpu_it_refuses(meters: str) -> None:
    with pytest.raises(HostError, match="no source polls cpu"):
        find_source(file(f"sources: [{{name: other, interval: 300, meters: {meters}}}]"))


def test_several_sources_are_refused_by_name() -> None:
    two = "sources: [{name: a, interval: 1, meters: [cpu]}, {name: b, interval: 2, meters: [cpu]}]"
    with pytest.raises(HostError, match="several sources poll cpu: a, b"):
        find_source(file(two))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PRINTED, "is no YAML at line"),
        ("sources:\n\t- name: a\n", "is no YAML at line 2"),
        ("", "no list of sources"),
        ("sources: {}\n", "no list of sources"),
        ("sources: [{name: a}]\n", "no list of sources"),
        ("sources: [{name: a, meters: [cpu]}]\n", "has the interval None"),
        ("sources: [{name: a, interval: soon, meters: [cpu]}]\n", "has the interval 'soon'"),
        ("x: &i 300\nsources: [{name: a, interval: *i, meters: [cpu]}]\n", "is not written as 300"),
        ("x: &d {interval: 300}\nsources: [{name: a, <<: *d, meters: [cpu]}]\n", "has its interval from a YAML anchor"),
        ("x: &d {name: a, interval: 300, meters: [cpu]}\nsources: [{<<: *d}]\n", "has its interval from a YAML anchor"),
        ("sources: [&a {name: a, interval: 300, meters: [cpu]}, {<<: *a, name: b, meters: [disk]}]\n", "others share"),
        ("sources: [{name: a, interval: 0x12C, meters: [cpu]}]\n", "is not written as 300"),
    ],
)
def test_what_can_not_be_changed_safely_is_refused(text: str, said: str) -> None:
    with pytest.raises(HostError, match=said) as refused:
        with_interval(file(text), 60)
    assert refused.value.message.startswith("compute-0: /etc/ceilometer/polling.yaml: ")


@pytest.mark.parametrize("seconds", [0, -60, 86_401])
def test_an_interval_out_of_bounds_is_refused(seconds: int) -> None:
    with pytest.raises(HostError, match="is not within 1 and 86400 s"):
        with_interval(file(POLLING), seconds)


def test_a_short_interval_is_not_for_production() -> None:
    (warning,) = interval_warnings(60)
    assert "not for production" in warning
    assert interval_warnings(299)
    assert interval_warnings(300) == []


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    etc = (str(tmp_path / "absent"), str(tmp_path / "polling.yaml"))
    monkeypatch.setattr("tasks.telemetry.polling._INSTALLED", etc)
    monkeypatch.setattr("tasks.telemetry.polling._GENERATED", (str(tmp_path / "generated.yaml"),))
    monkeypatch.setattr("tasks.telemetry.polling._GENERATED_ROOT", str(tmp_path / "root"))
    (tmp_path / "polling.yaml").write_text(POLLING)
    (tmp_path / "polling.yaml").chmod(0o640)
    return tmp_path


def test_the_file_that_is_there_is_read(here: Path) -> None:
    assert read_file(LocalShell(), False) == PollingFile("here", str(here / "polling.yaml"), POLLING)


def test_containers_read_what_was_generated_for_them_and_never_the_host_s_own_file(here: Path) -> None:
    with pytest.raises(HostError, match=r"here: has no .*/generated\.yaml") as refused:
        read_file(LocalShell(), True)
    assert "ManagePolling" in str(refused.value)
    generated = here / "generated.yaml"
    generated.write_text(PIPELINE)
    assert read_file(LocalShell(), True) == PollingFile("here", str(generated), PIPELINE)
    assert read_file(LocalShell(), False).path == str(here / "polling.yaml")


def test_a_host_without_such_a_file_is_refused(here: Path) -> None:
    (here / "polling.yaml").unlink()
    with pytest.raises(HostError, match=r"has no .*/absent and no .*/polling\.yaml"):
        read_file(LocalShell(), False)


def test_the_interval_is_set_and_put_back_and_doing_it_twice_changes_nothing(here: Path) -> None:
    path, kept = here / "polling.yaml", Path(backup_path(str(here / "polling.yaml"), STAMP))
    set_ = set_interval(read_file(LocalShell(), False), 60, STAMP)
    assert apply_change(LocalShell(), set_, silent) == "done"
    assert path.read_text() == POLLING.replace("300 ", "60 ")
    assert path.stat().st_mode & 0o777 == 0o640
    assert kept.read_text() == POLLING
    assert apply_change(LocalShell(), set_, silent) == "already"
    back = put_back(read_file(LocalShell(), False), STAMP, STAMP)
    assert apply_change(LocalShell(), back, silent) == "done"
    assert path.read_text() == POLLING
    assert sorted(here.iterdir()) == [path]
    assert apply_change(LocalShell(), back, silent) == "already"


def test_what_was_kept_before_is_not_overwritten(here: Path) -> None:
    Path(backup_path(str(here / "polling.yaml"), "x")).write_text("the original\n")
    apply_change(LocalShell(), set_interval(read_file(LocalShell(), False), 60, "x"), silent)
    assert Path(backup_path(str(here / "polling.yaml"), "x")).read_text() == "the original\n"


def test_a_file_that_somebody_changed_meanwhile_is_left_alone(here: Path) -> None:
    change = set_interval(read_file(LocalShell(), False), 60, "x")
    (here / "polling.yaml").write_text(POLLING + "# mine\n")
    with pytest.raises(CommandFailed, match="has changed since it was read"):
        apply_change(LocalShell(), change, silent)
    assert (here / "polling.yaml").read_text() == POLLING + "# mine\n"


def test_a_change_cut_short_before_its_end_can_be_made_again(here: Path) -> None:
    path = here / "polling.yaml"
    change = set_interval(read_file(LocalShell(), False), 60, "x")
    shutil.copy(path, backup_path(str(path), "x"))
    (here / "polling.yaml.openstack-runbooks").write_text("half")
    assert apply_change(LocalShell(), change, silent) == "done"
    assert path.read_text() == POLLING.replace("300 ", "60 ")


def test_a_file_that_somebody_changed_meanwhile_is_not_thrown_away(here: Path) -> None:
    path = here / "polling.yaml"
    apply_change(LocalShell(), set_interval(read_file(LocalShell(), False), 60, STAMP), silent)
    back = put_back(read_file(LocalShell(), False), STAMP, STAMP)
    path.write_text(POLLING + "# mine\n")
    with pytest.raises(CommandFailed, match="has changed since it was read"):
        apply_change(LocalShell(), back, silent)
    assert path.read_text() == POLLING + "# mine\n"


def test_only_what_this_runbook_has_kept_is_its_own(here: Path) -> None:
    for name in ("upgrade", STAMP, OLDER, f"{STAMP}.part", "2026", "mine 20271121T000000Z"):
        (here / f"polling.yaml.before-{name}").write_text("x")
    # Earlier versions kept a link as a link, to the very file that was changed then.
    (here / "polling.yaml.before-20271121T000000Z").symlink_to(here / "polling.yaml")
    assert read_stamps(LocalShell(), str(here / "polling.yaml")) == [OLDER, STAMP]
    assert read_stamps(LocalShell(), str(here / "absent")) == []


def test_what_a_link_leads_to_is_kept_and_changed_and_the_link_stays(here: Path) -> None:
    path, real = here / "polling.yaml", here / "real.yaml"
    path.rename(real)
    path.symlink_to(real)
    apply_change(LocalShell(), set_interval(read_file(LocalShell(), False), 60, STAMP), silent)
    assert real.read_text() == POLLING.replace("300 ", "60 ")
    assert path.is_symlink()
    kept = read_backup(LocalShell(), str(path), STAMP)
    assert kept is not None
    assert kept.text == POLLING
    apply_change(LocalShell(), put_back(read_file(LocalShell(), False), STAMP, STAMP), silent)
    assert (real.read_text(), path.is_symlink()) == (POLLING, True)
    assert sorted(here.iterdir()) == [path, real]


def test_a_broken_file_is_kept_beside_the_one_that_is_put_back(here: Path) -> None:
    path = here / "polling.yaml"
    apply_change(LocalShell(), set_interval(read_file(LocalShell(), False), 60, STAMP), silent)
    path.write_text("sources: [\n")
    back = put_back(read_file(LocalShell(), False), STAMP, broken_stamp="20261122T000000Z")
    assert apply_change(LocalShell(), back, silent) == "done"
    assert path.read_text() == POLLING
    broken = here / "polling.yaml.broken-20261122T000000Z"
    assert broken.read_text() == "sources: [\n"
    assert sorted(here.iterdir()) == [path, broken]
    assert apply_change(LocalShell(), back, silent) == "already"


@pytest.mark.parametrize(
    ("now", "kept", "may"),
    [
        (POLLING, POLLING, True),
        (POLLING.replace("300 ", "60 "), POLLING, True),
        (POLLING + "# mine\n", POLLING, False),
        ("sources: [\n", POLLING, True),
        ("", POLLING, True),
        ("sources: [\n", "sources: [\n", False),
        ("sources: []\n", POLLING, False),
    ],
)
def test_only_what_is_broken_or_differs_in_its_interval_alone_may_be_replaced(now: str, kept: str, may: bool) -> None:
    assert may_replace(file(now), file(kept)) == may


def test_the_file_s_text_is_shown_in_no_plan() -> None:
    (line,) = set_interval(file(POLLING), 60, "x").shown
    assert "some_pollsters" not in line
    assert "(the same file with an interval of 60 s)" in line
