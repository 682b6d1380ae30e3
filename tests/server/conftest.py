"""One server and one worker for all of these tests."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.fixtures import PrefectServer, Worker
from tests.site_files import write_site


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    running = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def worker(server: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    running = Worker.start(server, XDG_STATE_HOME=str(tmp_path_factory.mktemp("state")))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def site_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one site that the server is given."""
    return write_site(tmp_path_factory.mktemp("sites"))


@pytest.fixture(scope="session")
def greetings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a runbook of one line, deployed twice over: on demand, and every few seconds; and one that asks first."""
    folder = tmp_path_factory.mktemp("with a space") / "project"
    (folder / "flows").mkdir(parents=True)
    for name in ("say-hello", "say-hello-often"):
        function = name.replace("-", "_")
        (folder / "flows" / f"{function}.py").write_text(_flow(name, function))
    (folder / "flows" / "deploy_stack.py").write_text(_ASKING)
    (folder / "prefect.yaml").write_text(_PREFECT_YAML)
    return folder


def _flow(name: str, function: str) -> str:
    return textwrap.dedent(f'''
        from prefect import flow
        from blocks.site import Site

        @flow(name="{name}")
        def {function}(site: str, times: int = 1) -> None:
            """Say hello.

            Args:
                site: Whom to greet.
                times: How often.
            """
            print("hello", [host.name for host in Site.load(site).hosts_with("mysql")] * times, flush=True)
    ''')


# It has the name of one whose departures are known, for the report.
_ASKING = textwrap.dedent('''
    from blocks.remote.errors import Refused
    from tasks.engine.runbook import Work, runbook

    @runbook("deploy-stack", timeout_s=300)
    def deploy_stack(
        site: str, refuse: bool = False, dry_run: bool = False, approved_by: str | None = None
    ) -> Work[str]:
        """Replace nothing, and ask first."""
        def look(run):
            if refuse:
                raise Refused("deploy-stack", ["the dump is empty"])
            return "the database"

        return Work(look, lambda steps, what: None, destroys=lambda what: f"{what} is replaced")
''')


_PREFECT_YAML = """\
definitions:
  common: &common
    tags: [greeting]
    work_pool: {name: runbooks}
deployments:
  - name: say-hello
    entrypoint: flows/say_hello.py:say_hello
    <<: *common
  - name: deploy-stack
    entrypoint: flows/deploy_stack.py:deploy_stack
    <<: *common
  - name: say-hello-often
    entrypoint: flows/say_hello_often.py:say_hello_often
    <<: *common
    schedules:
      - {slug: often, interval: 10, active: false}
"""
