"""When a host that is booted by itself counts as up."""

from pathlib import Path

import pytest

from tests.lab import one_host


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("", "no answer from systemd"),
        ("starting", "starting"),
        ("running", ""),
        ("degraded", ""),
    ],
)
def test_a_host_is_up_once_its_systemd_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, missing: str
) -> None:
    monkeypatch.setattr("tests.lab.processes.init", lambda *_: 7)
    monkeypatch.setattr(one_host, "_on_host", lambda *_, **__: said)
    assert one_host._booting(tmp_path) == missing


def test_without_a_first_process_the_console_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.lab.processes.init", lambda *_: None)
    (tmp_path / "console.log").write_text("mount: no such device")
    assert "mount: no such device" in one_host._booting(tmp_path)
