"""Reading prefect.yaml."""

from pathlib import Path

import pytest

from deployments.errors import ConfigurationError
from deployments.prefect_yaml import read_prefect_yaml
from deployments.project import PROJECT

HELLO = """\
deployments:
  - name: say-hello
    entrypoint: flows/say_hello.py:say_hello
    work_pool: {name: runbooks}
"""


def test_every_runbook_of_the_project_is_named_after_its_file() -> None:
    for entry in read_prefect_yaml(PROJECT / "prefect.yaml"):
        function = entry.name.replace("-", "_")
        assert entry.entrypoint == f"flows/{function}.py:{function}"
        assert entry.work_pool.name == "runbooks"
        assert entry.description


def test_reads_schedules(tmp_path: Path) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(HELLO + "    schedules: [{slug: nightly, cron: 0 2 * * *}, {slug: often, interval: 30}]\n")
    nightly, often = read_prefect_yaml(file)[0].schedules
    assert nightly.schedule().model_dump(mode="json")["timezone"] == "UTC"
    assert often.schedule().model_dump(mode="json")["interval"] == 30.0
    assert nightly.active is None


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("work_pool:", "workpool:", "deployment say-hello: work_pool: missing"),
        ("work_pool:", "workpool:", "deployment say-hello: workpool: unknown key"),
        (
            "work_pool:",
            "concurrency_limit: {limit: 1, collision_strategy: CANCEL_NEW}\n    work_pool:",
            "deployment say-hello: concurrency_limit: not allowed: Prefect ends a run",
        ),
        ("name: say-hello", "title: say-hello", "deployment 1: name: missing"),
        (".py:say_hello", ".py", "deployment say-hello: entrypoint: String should match pattern"),
        ("deployments:", "deploys:", "deployments: missing"),
        ("deployments:", "pull: [{git_clone: {}}]\ndeployments:", "pull: Input should be None"),
        ("deployments:", "deployments: [", "not valid YAML"),
    ],
)
def test_a_bad_key_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(HELLO.replace(old, new))
    with pytest.raises(ConfigurationError) as refusal:
        read_prefect_yaml(file)
    assert f"{file}: {problem}" in str(refusal.value)


@pytest.mark.parametrize(
    "schedule",
    ["{slug: a}", "{slug: a, cron: 0 2 * * *, interval: 3}", "{slug: a, cron: at night}", "{cron: 0 2 * * *}"],
)
def test_refuses_a_schedule_that_is_none(tmp_path: Path, schedule: str) -> None:
    file = tmp_path / "prefect.yaml"
    file.write_text(HELLO + f"    schedules: [{schedule}]\n")
    with pytest.raises(ConfigurationError, match=r"deployment say-hello: schedules\.0"):
        read_prefect_yaml(file)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"prefect\.yaml: can't be read: No such file or directory"):
        read_prefect_yaml(tmp_path / "prefect.yaml")
