"""Which command lines the plug-in completes, and which it leaves alone."""

import logging
import sys

import pytest
from prefect.plugins import HookContext

from deployments import bare_names
from deployments.bare_names import with_full_name

CONTEXT = HookContext(prefect_version="", api_url=None, logger_factory=logging.getLogger)


@pytest.mark.parametrize(
    ("given", "completed"),
    [
        ("deployment run restore-galera", "deployment run restore-galera/restore-galera"),
        ("deployments run restore-galera", "deployments run restore-galera/restore-galera"),
        ("--no-prompt deployment run a -p site=lab", "--no-prompt deployment run a/a -p site=lab"),
        ("--profile local deployment run a", "--profile local deployment run a/a"),
        ("deployment run -p site=lab a --watch", "deployment run -p site=lab a/a --watch"),
        ("deployment run --watch a", "deployment run --watch a/a"),
        ("deployment run --param=site=lab a", "deployment run --param=site=lab a/a"),
        ("deployment run --watch-timeout 5 a", "deployment run --watch-timeout 5 a/a"),
    ],
)
def test_completes(given: str, completed: str) -> None:
    assert with_full_name(given.split()) == completed.split()


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "deployment",
        "deployment run",
        "deployment run --id 6c1befea",
        "deployment run restore-galera/restore-galera",
        "deployment run a/b -p site=lab",
        "deployment run -p site=lab",
        "deployment inspect restore-galera",
        "deployment pause restore-galera",
        "flow-run cancel deployment run a",
        "work-pool create run",
        "deploy --name restore-galera",
        "--version",
    ],
)
def test_leaves_alone(arguments: str) -> None:
    assert with_full_name(arguments.split()) == arguments.split()


@pytest.mark.parametrize(
    ("argv", "original"),
    [
        (["/a b/.venv/bin/prefect", "deployment", "run", "a"], ["python3", "/a b/.venv/bin/prefect"]),
        (["-m", "deployment", "run", "a"], ["python3", "-m", "prefect", "deployment", "run", "a"]),
    ],
)
def test_acts_on_prefects_command_line(monkeypatch: pytest.MonkeyPatch, argv: list[str], original: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setattr(sys, "orig_argv", original)
    bare_names.setup_environment(ctx=CONTEXT)
    assert sys.argv[1:] == ["deployment", "run", "a/a"]


@pytest.mark.parametrize(
    ("argv", "original"),
    [
        (["script.py", "deployment", "run", "a"], ["python3", "script.py", "deployment", "run", "a"]),
        (["-m", "deployment", "run", "a"], ["python3", "-m", "other", "deployment", "run", "a"]),
        ([""], ["python3"]),
    ],
)
def test_no_other_program_is_touched(monkeypatch: pytest.MonkeyPatch, argv: list[str], original: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", list(argv))
    monkeypatch.setattr(sys, "orig_argv", original)
    bare_names.setup_environment(ctx=CONTEXT)
    assert sys.argv == argv
