"""The cloud, a Prefect server that knows it as two sites, and a group that stands there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.autoscaling.runbooks import BESIDE, PARAMETERS, SITE, Runbooks
from tests.autoscaling.stacks import Standing
from tests.conftest import gone_if_interrupted
from tests.openstack import Cloud
from tests.server.fixtures import PrefectServer


@pytest.fixture(scope="session")
def runbooks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runbooks]:
    cloud = Cloud()
    gone_if_interrupted(request.config, cloud.down)
    cloud.up()
    server = PrefectServer.start(tmp_path_factory.mktemp("prefect"))
    beside = cloud.site.with_name("beside.toml")
    beside.write_text(cloud.site.read_text().replace(f'name = "{SITE}"', f'name = "{BESIDE}"', 1))
    try:
        for site in (cloud.site, beside):
            applied = server.run("-m", "deployments", "apply", "--site", str(site))
            assert applied.returncode == 0, applied.stdout + applied.stderr
        with closing(Runbooks(cloud, server, tmp_path_factory.mktemp("runs"))) as runbooks:
            yield runbooks
    finally:
        server.stop()


@pytest.fixture(scope="session")
def standing(runbooks: Runbooks) -> Iterator[Standing]:
    """A group of one or two, which no check makes or removes."""
    with Standing.made(runbooks, "standing", "cpu-group", **PARAMETERS, max_size=2) as standing:
        yield standing
