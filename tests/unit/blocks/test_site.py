"""Finding hosts in a site."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.database import GaleraDatabase
from blocks.remote.shell import Access
from blocks.site import BACKUP_NODE, DRILL_HOST, UNDERCLOUD, Host, Site, UnknownTarget
from blocks.ssh import SSHAccess
from blocks.store import BackupStore


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


@pytest.fixture
def whole(site: Site) -> Site:
    """A site with composed roles, an undercloud and a backup node."""
    hosts = {
        name: f"10.0.0.{number}" for number, name in enumerate(("one", "two", "three", "four", "director", "store"))
    }
    roles = {"mysql": ["two", "one"], "Controller": ["one", "three"], "Compute": ["four"], "Undercloud": ["director"]}
    named = {"undercloud": "director", "backup_node": "store"}
    return Site.model_validate({**dict(site), "hosts": hosts, "roles": roles, **named})


def names(hosts: list[Host]) -> list[str]:
    return [host.name for host in hosts]


def test_hosts_of_several_roles_come_once_and_in_order(whole: Site) -> None:
    assert names(whole.select(("mysql", "Controller"))) == ["two", "one", "three"]
    assert names(whole.select(("Controller", "mysql"))) == ["one", "three", "two"]
    assert names(whole.select((UNDERCLOUD, "Undercloud", BACKUP_NODE, "Compute"))) == ["director", "store", "four"]
    assert whole.select(()) == []


def test_named_hosts_are_hosts(whole: Site) -> None:
    assert whole.named(UNDERCLOUD) == whole.host("director") == Host(name="director", address="10.0.0.4")
    assert whole.shell(whole.named(BACKUP_NODE)).address == "10.0.0.5"


def test_all_targets_that_a_site_lacks_are_told_at_once(site: Site) -> None:
    with pytest.raises(UnknownTarget) as error:
        site.select(("mysql", "mysq", UNDERCLOUD, BACKUP_NODE, "mysq"))
    assert str(error.value) == (
        "site lab has no role 'mysq'; its roles are Compute, mysql; "
        "site lab names no undercloud: give its address as `undercloud_address` in the site file, and apply it; "
        "site lab names no backup node: give its address as `host` of the section [store] in the site file, and apply it"
    )


def test_there_are_three_named_hosts(site: Site) -> None:
    with pytest.raises(
        UnknownTarget, match="'director' is no named host; those are 'undercloud', 'backup node', 'drill host'"
    ):
        site.named("director")


def test_the_host_of_drills_is_one_of_the_sites(whole: Site) -> None:
    store = BackupStore(kind="sftp", host="10.0.0.5", path="/backups", drill_host="four")
    site = Site.model_validate({**dict(whole), "store": store})
    assert names(site.select([BACKUP_NODE, DRILL_HOST])) == ["store", "four"]
    assert names(site.control_plane())[-1] == "four", "apply wants its key"
    with pytest.raises(UnknownTarget, match="give its name as `drill_host`"):
        whole.named(DRILL_HOST)
    with pytest.raises(ValidationError, match="drill_host names no host: seven"):
        Site.model_validate({**dict(whole), "store": store.model_copy(update={"drill_host": "seven"})})


def test_the_control_plane_is_what_every_runbook_may_reach(site: Site, whole: Site) -> None:
    assert names(whole.control_plane()) == ["two", "one", "three", "director", "store"]
    assert names(site.control_plane()) == ["two", "one"]


def test_with_a_role_of_its_own_haproxy_holds_the_virtual_addresses(whole: Site) -> None:
    roles = {"mysql": ["one"], "haproxy": ["three"], "Compute": ["four"]}
    assert names(Site.model_validate({**dict(whole), "roles": roles}).control_plane())[:2] == ["one", "three"]


STACKS = {"cell1_mysql": ["one"], "cell1_haproxy": ["two"], "mysql": ["one", "four"], "haproxy": ["two", "three"]}


@pytest.mark.parametrize(
    ("role", "roles", "wanted"),
    [
        ("mysql", {"mysql": ["one"], "haproxy": ["two"], "Controller": ["three"]}, ["mysql", "haproxy"]),
        ("mysql", {"mysql": ["one"], "Controller": ["two"]}, ["mysql", "Controller"]),
        ("mysql", {"mysql": ["one"], "haproxy": [], "Controller": ["two"]}, ["mysql", "Controller"]),
        ("mysql", {"mysql": ["one"]}, ["mysql"]),
        ("Database", {"Database": ["one"], "haproxy": ["two"]}, ["Database", "haproxy"]),
        ("cell1_mysql", STACKS, ["cell1_mysql", "cell1_haproxy"]),
        ("cell1_mysql", {**STACKS, "cell1_haproxy": []}, ["cell1_mysql", "haproxy"]),
        ("mysq", {"mysql": ["one"]}, ["mysq"]),
    ],
)
def test_the_databases_virtual_address_is_where_haproxy_runs(
    whole: Site, role: str, roles: dict[str, list[str]], wanted: list[str]
) -> None:
    site = Site.model_validate({**dict(whole), "roles": roles, "database": GaleraDatabase(role=role)})
    assert site.database_roles() == wanted


def test_the_hosts_of_a_stacks_database_are_of_the_control_plane(whole: Site) -> None:
    roles = {"cell1_mysql": ["one"], "cell1_haproxy": ["two"], "mysql": ["one", "four"]}
    site = Site.model_validate({**dict(whole), "roles": roles, "database": GaleraDatabase(role="cell1_mysql")})
    assert names(site.control_plane()) == ["one", "two", "director", "store"]


@pytest.mark.parametrize("field", ["undercloud", "backup_node"])
def test_refuses_a_named_host_that_is_none(site: Site, field: str) -> None:
    with pytest.raises(ValidationError, match="name no host: seven"):
        Site.model_validate({**dict(site), field: "seven"})


def test_a_host_may_have_an_account_of_its_own(site: Site) -> None:
    ssh = SSHAccess(user="heat-admin", users={"two": "stack"}, key=Path("/id"), known_hosts=Path("/known"))
    mixed = Site.model_validate({**dict(site), "ssh": ssh})
    assert [mixed.shell(host)._access.user for host in mixed.hosts_with("mysql")] == ["stack", "heat-admin"]


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
