"""`python -m deployments apply` against a server."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments.project import PROJECT
from tests.server.fixtures import PrefectServer, free_port
from tests.site_files import write_site

EVERYTHING: dict[str, dict[str, Any]] = {
    "work_pools/filter": {},
    "block_types/filter": {},
    "block_schemas/filter": {},
    "block_documents/filter": {"include_secrets": True},
    "v2/concurrency_limits/filter": {},
    "deployments/filter": {},
    "flows/filter": {},
    "variables/filter": {},
    "automations/filter": {},
}


def apply(server: PrefectServer, site: Path, folder: Path, *more: str, code: int = 0) -> list[str]:
    """Apply a site and a folder's prefect.yaml, and return the lines that were printed."""
    words = ["apply", "--site", str(site), "--prefect-file", str(folder / "prefect.yaml"), *more]
    run = server.run("-m", "deployments", *words)
    assert run.returncode == code, run.stdout + run.stderr
    return (run.stdout if code == 0 else run.stderr).splitlines()


def everything_on(server: PrefectServer) -> dict[str, Any]:
    """Return all that the server holds, with the times at which each thing was changed."""
    return {path: server.api("POST", f"/{path}", body) for path, body in EVERYTHING.items()}


def actions(lines: list[str]) -> set[str]:
    return {line.split()[0] for line in lines}


@dataclass
class First:
    """What was seen while a server that held nothing yet was applied to."""

    before: dict[str, Any]
    dry_run: list[str]
    after_dry_run: dict[str, Any]
    lines: list[str]


@pytest.fixture(scope="module")
def first(server: PrefectServer, site_file: Path, greetings: Path) -> First:
    before = everything_on(server)
    assert before["work_pools/filter"] == [], "another test was there first"
    dry_run = apply(server, site_file, greetings, "--dry-run")
    return First(before, dry_run, everything_on(server), apply(server, site_file, greetings))


def test_a_dry_run_changes_nothing(first: First) -> None:
    assert first.after_dry_run == first.before
    assert actions(first.dry_run) == {"would"}
    assert [line.removeprefix("would be ") for line in first.dry_run] == [_single_spaced(line) for line in first.lines]


def _single_spaced(line: str) -> str:
    return " ".join(line.split())


def test_makes_everything(first: First) -> None:
    assert [line.removeprefix("created").strip() for line in first.lines] == [
        "work pool runbooks",
        "block type ssh-access",
        "block type galera-database",
        "block type undercloud-database",
        "block type backup-store",
        "block type cloud-access",
        "block type openstack-site",
        "lock runbook-lab",
        "block ssh-access/lab-ssh",
        "block galera-database/lab-database",
        "block undercloud-database/lab-undercloud-database",
        "block openstack-site/lab",
        "deployment say-hello",
        "deployment deploy-stack",
        "deployment say-hello-often",
    ]


@pytest.mark.usefixtures("first")
def test_running_twice_changes_nothing(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    before = everything_on(server)
    assert actions(apply(server, site_file, greetings)) == {"unchanged"}
    assert everything_on(server) == before


@pytest.mark.usefixtures("first")
def test_prefects_own_deploy_makes_the_same_deployments(
    server: PrefectServer, site_file: Path, greetings: Path
) -> None:
    """All but the sites and what is scheduled for each, of which prefect.yaml knows nothing."""
    deployed = server.prefect("--no-prompt", "deploy", "--all", cwd=greetings)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    changed = [line for line in apply(server, site_file, greetings) if not line.startswith("unchanged")]
    assert [line.split(maxsplit=1)[1] for line in changed] == [
        "deployment say-hello (parameters, parameter_openapi_schema)",
        "deployment deploy-stack (parameters, parameter_openapi_schema)",
        "deployment say-hello-often (parameters, parameter_openapi_schema, schedules)",
    ]


@pytest.mark.usefixtures("first")
def test_only_what_differs_is_changed(server: PrefectServer, site_file: Path, greetings: Path, tmp_path: Path) -> None:
    other = tmp_path / "sites"
    shutil.copytree(site_file.parent, other)
    changed = other / "lab.toml"
    changed.write_text(changed.read_text().replace('"heat-admin"', '"stack"') + "\n[cloud]\nname = 'overcloud'\n")
    changed.write_text(changed.read_text().replace('key = "key"', f'key = "{site_file.parent}/key"'))
    changed.write_text(changed.read_text().replace('"known_hosts"', f'"{site_file.parent}/known_hosts"'))

    lines = [line for line in apply(server, changed, greetings) if not line.startswith("unchanged")]
    assert [line.split(maxsplit=1) for line in lines] == [
        ["changed", "block ssh-access/lab-ssh (user)"],
        ["created", "block cloud-access/lab-cloud"],
        ["changed", "block openstack-site/lab (cloud)"],
    ]
    # Back again: the reference to the cloud goes, and its document stays.
    lines = [line for line in apply(server, site_file, greetings) if not line.startswith("unchanged")]
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        "block ssh-access/lab-ssh (user)",
        "block openstack-site/lab (cloud)",
    ]
    assert actions(apply(server, site_file, greetings)) == {"unchanged"}


@pytest.mark.usefixtures("first")
def test_what_an_operator_switched_stays_switched(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    before = server.api("GET", "/deployments/name/say-hello/say-hello")
    server.api("PATCH", f"/deployments/{before['id']}", {"paused": True, "tags": ["mine"]})
    lines = [line for line in apply(server, site_file, greetings) if not line.startswith("unchanged")]
    assert [line.split(maxsplit=1)[1] for line in lines] == ["deployment say-hello (tags)"]
    after = server.api("GET", "/deployments/name/say-hello/say-hello")
    assert (after["id"], after["paused"], after["tags"]) == (before["id"], True, ["greeting"])
    server.api("POST", f"/deployments/{after['id']}/resume_deployment")


@pytest.mark.usefixtures("first")
def test_a_lock_that_was_widened_is_narrowed(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    server.api("PATCH", "/v2/concurrency_limits/runbook-lab", {"limit": 5})
    lines = [line for line in apply(server, site_file, greetings) if not line.startswith("unchanged")]
    assert [line.split(maxsplit=1)[1] for line in lines] == ["lock runbook-lab (limit)"]


@pytest.mark.usefixtures("first")
def test_a_limit_that_an_earlier_version_put_on_a_deployment_is_taken_away(
    server: PrefectServer, site_file: Path, greetings: Path
) -> None:
    """Prefect would end a run, half way too, whose slot of it can't be renewed."""
    deployment = server.api("GET", "/deployments/name/say-hello/say-hello")["id"]
    options = {"collision_strategy": "CANCEL_NEW"}
    server.api("PATCH", f"/deployments/{deployment}", {"concurrency_limit": 10, "concurrency_options": options})
    lines = [line for line in apply(server, site_file, greetings) if not line.startswith("unchanged")]
    assert [line.split(maxsplit=1)[1] for line in lines] == ["deployment say-hello (concurrency_limit)"]
    assert server.api("GET", f"/deployments/{deployment}")["global_concurrency_limit"] is None
    limits = server.api("POST", "/v2/concurrency_limits/filter", {})
    assert [limit["name"] for limit in limits if deployment in limit["name"]] == []
    assert actions(apply(server, site_file, greetings)) == {"unchanged"}


@pytest.mark.usefixtures("first")
def test_a_limit_that_others_share_is_only_let_go_of(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    deployment = server.api("GET", "/deployments/name/say-hello/say-hello")["id"]
    shared = server.api("POST", "/v2/concurrency_limits/", {"name": "shared", "limit": 5})["id"]
    server.api("PATCH", f"/deployments/{deployment}", {"global_concurrency_limit_id": shared})
    lines = [line for line in apply(server, site_file, greetings) if not line.startswith("unchanged")]
    assert [line.split(maxsplit=1)[1] for line in lines] == ["deployment say-hello (concurrency_limit)"]
    assert server.api("GET", f"/deployments/{deployment}")["global_concurrency_limit"] is None
    assert server.api("GET", f"/v2/concurrency_limits/{shared}")["limit"] == 5
    server.api("DELETE", f"/v2/concurrency_limits/{shared}")


@pytest.mark.usefixtures("first")
def test_with_a_second_site_none_is_the_default(
    server: PrefectServer, site_file: Path, greetings: Path, tmp_path: Path
) -> None:
    assert (_default_site(server), _sites_offered(server)) == ({"site": "lab"}, ["lab"])
    apply(server, write_site(tmp_path, "second"), greetings)
    assert (_default_site(server), _sites_offered(server)) == ({}, ["lab", "second"])
    document = server.api("GET", "/block_types/slug/openstack-site/block_documents/name/second")
    server.api("DELETE", f"/block_documents/{document['id']}")
    apply(server, site_file, greetings)
    assert (_default_site(server), _sites_offered(server)) == ({"site": "lab"}, ["lab"])


def _default_site(server: PrefectServer) -> Any:
    return server.api("GET", "/deployments/name/say-hello/say-hello")["parameters"]


def _sites_offered(server: PrefectServer) -> Any:
    """What the form in the UI lets one choose from."""
    schema = server.api("GET", "/deployments/name/say-hello/say-hello")["parameter_openapi_schema"]
    return schema["properties"]["site"]["enum"]


@pytest.mark.usefixtures("first")
def test_a_run_for_a_site_that_the_server_does_not_know_is_refused(server: PrefectServer) -> None:
    before = server.api("POST", "/flow_runs/count", {})
    run = server.prefect("deployment", "run", "say-hello/say-hello", "-p", "site=lap")
    assert run.returncode != 0
    said = " ".join((run.stdout + run.stderr).split())
    assert "Validation failed for field 'site'. Failure reason: 'lap' is not one of ['lab']" in said
    assert server.api("POST", "/flow_runs/count", {}) == before


@pytest.mark.usefixtures("first")
def test_the_server_holds_no_secret_of_the_inventory(
    server: PrefectServer, site_file: Path, greetings: Path, tmp_path: Path
) -> None:
    """Planted where TripleO writes them, and looked for in all that the server answers and keeps."""
    site = write_site(tmp_path / "sites")
    inventory = site.parent / "inventory.yaml"
    planted = "    os_auth_token: planted-secret\n    overcloud_admin_password: planted-secret\n"
    inventory.write_text(
        inventory.read_text().replace("    ansible_host: localhost\n", f"{planted}    ansible_host: localhost\n")
    )
    apply(server, site, greetings)
    held = json.dumps(everything_on(server))
    apply(server, site_file, greetings)
    # The server encrypts blocks in its database: they are looked through as it gives them away.
    assert "overcloud-controller-0" in held
    assert "planted-secret" not in held
    assert not any(b"planted-secret" in file.read_bytes() for file in server.home.rglob("*") if file.is_file())


def test_a_server_that_does_not_answer_ends_with_1(server: PrefectServer, site_file: Path, greetings: Path) -> None:
    nobody = PrefectServer(server.home, free_port(), server._background)
    lines = apply(nobody, site_file, greetings, code=1)
    assert lines[0].startswith(f"no Prefect server answers at {nobody.url}")


def test_the_project_itself_can_be_applied(server: PrefectServer, site_file: Path) -> None:
    run = server.run("-m", "deployments", "apply", "--site", str(site_file))
    assert run.returncode == 0, run.stderr
    assert "deployment restore-galera" in run.stdout


def test_what_is_scheduled_is_so_for_each_site_that_it_is_for(server: PrefectServer, tmp_path: Path) -> None:
    def nights() -> dict[str, str]:
        deployment = server.api("GET", "/deployments/name/prune-backups/prune-backups")
        assert [schedule["schedule"]["timezone"] for schedule in deployment["schedules"]] == ["UTC"] * len(
            deployment["schedules"]
        )
        return {schedule["slug"]: schedule["parameters"]["site"] for schedule in deployment["schedules"]}

    store = '\n[store]\nkind = "sftp"\nhost = "192.168.24.100"\npath = "/backups"\n'
    sites = [write_site(tmp_path / name, name, more) for name, more in (("backed-up", store), ("without-store", ""))]
    apply(server, sites[0], PROJECT)
    apply(server, sites[1], PROJECT)
    assert nights() == {"nightly-backed-up": "backed-up"}
    assert actions(apply(server, sites[0], PROJECT)) == {"unchanged"}
    for site in ("backed-up", "without-store"):
        assert server.prefect("block", "delete", f"openstack-site/{site}").returncode == 0
