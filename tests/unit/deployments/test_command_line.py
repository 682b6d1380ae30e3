"""`python -m deployments`: its help, its exit codes, and what stops it before it reaches a server."""

from pathlib import Path

import pytest

from blocks.state import state_directory
from deployments.__main__ import main
from deployments.changes import Change
from tests.site_files import write_site

FLOW = """\
from prefect import flow

@flow(name="{name}")
def say_hello(site: str) -> None:
    pass
"""
PREFECT_YAML = """\
deployments:
  - name: say-hello
    entrypoint: say_hello.py:say_hello
    work_pool: {name: runbooks}
"""


def test_help_says_what_apply_makes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["apply", "--help"])
    said = capsys.readouterr().out
    assert end.value.code == 0
    assert all(word in said for word in ("work pool", "lock", "block", "default", "exit codes", "changes nothing"))


@pytest.mark.parametrize("arguments", [[], ["apply"], ["aply"], ["server", "--port", "x"]])
def test_a_wrong_argument_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_a_bad_site_file_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write_site(tmp_path / "a"), write_site(tmp_path / "b", more="prot = 22\n")
    assert main(["apply", "--site", str(good), "--site", str(bad)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"{bad}: [ssh] prot: unknown key\n"


def test_two_files_for_one_site_end_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [write_site(tmp_path / "a"), write_site(tmp_path / "b")]
    assert main(["apply", "--site", str(files[0]), "--site", str(files[1])]) == 2
    assert f"{files[1]}: name: 'lab' is the name of another site file too" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flow", "problem"),
    [
        (FLOW.format(name="hello"), "the flow is called 'hello'; flow and deployment share a name"),
        ("raise OSError('no disk')", "say_hello.py:say_hello can't be loaded: OSError('no disk')"),
        (None, "say_hello.py:say_hello can't be loaded"),
    ],
)
def test_a_flow_that_is_none_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flow: str | None, problem: str
) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(PREFECT_YAML)
    if flow:
        (tmp_path / "say_hello.py").write_text(flow)
    assert main(["apply", "--site", str(write_site(tmp_path)), "--prefect-file", str(file)]) == 2
    said = capsys.readouterr().err
    assert f"{file}: deployment say-hello: entrypoint: " in said
    assert problem in said


def test_hosts_of_other_roles_without_a_key_are_a_note_and_no_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = write_site(tmp_path)
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(
        "".join(line for line in known_hosts.read_text().splitlines(True) if "192.168.24.51" not in line)
    )
    (tmp_path / "prefect.yaml").write_text(PREFECT_YAML)
    (tmp_path / "say_hello.py").write_text(FLOW.format(name="say-hello"))
    monkeypatch.setattr("deployments.client._check_answers", lambda _: None)
    monkeypatch.setattr("deployments.apply._apply", lambda *_: iter([Change("lock", "runbook-lab", "unchanged")]))
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert main(["apply", "--site", str(site), "--prefect-file", str(tmp_path / "prefect.yaml")]) == 0
    said = capsys.readouterr()
    assert said.out == "unchanged        lock runbook-lab\n"
    assert said.err.startswith("note: site lab: 1 host of role Compute without a key in ")


def test_a_dry_run_says_what_would_be() -> None:
    change = Change("block", "ssh-access/lab-ssh", "changed", ("user", "port"))
    assert change.line(dry_run=True) == "would be changed block ssh-access/lab-ssh (user, port)"
    assert change.line() == "changed          block ssh-access/lab-ssh (user, port)"
    assert Change("lock", "runbook-lab", "unchanged").line(dry_run=True) == "unchanged        lock runbook-lab"


def test_state_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_directory() == tmp_path / "openstack-runbooks"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state_directory() == tmp_path / ".local" / "state" / "openstack-runbooks"
