"""Finding hosts in a site."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.database import GaleraDatabase
from blocks.remote.shell import Access
from blocks.site import Host, Site
from blocks.ssh import SSHAccess


@pytest.fixture
def site() -> Site:
    return Site(
        site="lab",
        hosts={"one": "10.0.0.1", "two": "10.0.0.2"},
        roles={"mysql": ["two", "one"], "Compute": []},
        ssh=SSHAccess(user="heat-admin", key=Path("/id"), known_hosts=Path("/known"), port=2222, jump_host="a@b:1"),
        database=GaleraDatabase(),
    )


def test_hosts_come_in_the_order_of_the_inventory(site: Site) -> None:
    assert [str(host) for host in site.hosts_with("mysql")] == ["two", "one"]
    assert site.hosts_with("mysql")[0] == Host(name="two", address="10.0.0.2")


def test_a_role_without_hosts_is_empty(site: Site) -> None:
    assert site.hosts_with("Compute") == []


def test_an_unknown_role_is_answered_with_the_known_ones(site: Site) -> None:
    with pytest.raises(LookupError, match="site lab has no role 'mysq'; its roles are Compute, mysql"):
        site.hosts_with("mysq")


def test_an_unknown_host_is_answered_with_the_known_ones(site: Site) -> None:
    with pytest.raises(LookupError, match="site lab has no host 'three'; its hosts are one, two"):
        site.host("three")


def test_a_shell_gets_all_of_the_access(site: Site) -> None:
    shell = site.shell(site.host("one"))
    assert (shell.name, shell.address) == ("one", "10.0.0.1")
    assert shell._access == Access("heat-admin", Path("/id"), Path("/known"), 2222, "a@b:1", 10.0)


def test_refuses_a_role_whose_host_has_no_address(site: Site) -> None:
    with pytest.raises(ValidationError, match="no address: three"):
        Site.model_validate({**dict(site), "roles": {"mysql": ["three"]}})


@pytest.mark.parametrize("address", ["-oProxyCommand=id", "10.0.0.1; id", "", "a b"])
def test_refuses_an_address_that_is_none(address: str) -> None:
    with pytest.raises(ValidationError):
        Host(name="one", address=address)


@pytest.mark.parametrize(
    "directory", ["/", "/var", "/var/lib", "var/lib/mysql", "/var/lib/../../etc", "/a b/c/d", "/a/b/c/"]
)
def test_refuses_a_data_directory_that_is_not_the_databases_own(directory: str) -> None:
    with pytest.raises(ValidationError):
        GaleraDatabase(data_directory=directory)
