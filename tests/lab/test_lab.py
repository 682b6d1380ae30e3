"""The lab is what the flows' tests take it for."""

import tomllib

import pytest
import yaml

from tests.lab import Lab, LabError, dumps, undercloud
from tests.lab.databases import ROLE, SCHEMAS
from tests.lab.paths import LOCK
from tests.lab.settings import HOSTS, SERVICES, UNDERCLOUD
from tests.lab.shell import exclusive

pytestmark = pytest.mark.releases
_SCHEMA_NAMES = (
    "SELECT schema_name FROM information_schema.schemata "
    "WHERE schema_name NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')"
)


def test_all_three_controllers_are_promoted_and_synced(lab: Lab) -> None:
    assert lab.missing() == ""


def test_the_vip_answers_the_undercloud_as_keystone(lab: Lab) -> None:
    options = f"[client]\nhost={lab.vip}\nuser=keystone\npassword={lab.passwords['keystone']}\n"
    client = ["mysql", "--defaults-file=/dev/stdin", "-NBe", "SELECT COUNT(*) FROM keystone.project"]
    assert lab.exec("undercloud", client, input=options).stdout == "200\n"


def test_a_dropped_connection_rule_keeps_the_undercloud_from_the_database(lab: Lab) -> None:
    rule = f"INPUT -p tcp --destination-port 3306 -d {lab.vip} -j DROP"
    reach = f"timeout 2 bash -c '</dev/tcp/{lab.vip}/3306'"
    try:
        for host in lab.controllers:
            lab.exec(host, f"iptables -I {rule}")
        assert lab.exec("undercloud", reach, check=False).returncode == 124
    finally:
        for host in lab.controllers:
            lab.exec(host, f"iptables -D {rule}", check=False)
    lab.exec("undercloud", reach)


def test_every_schema_is_on_every_controller(lab: Lab) -> None:
    for host in lab.controllers:
        found = lab.sql(host, _SCHEMA_NAMES)
        assert set(found.split()) == set(SCHEMAS)
        assert lab.sql(host, "SELECT COUNT(*) FROM legacy_billing.invoices") == "400\n"


def test_every_kind_of_object_is_there(lab: Lab) -> None:
    counts = """
        SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = 'nova';
        SELECT COUNT(*) FROM information_schema.events WHERE event_schema = 'keystone';
        SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = 'neutron';
        SELECT COUNT(*) FROM information_schema.views WHERE table_schema = 'capacity_views';
    """
    assert lab.sql("controller-0", counts).split() == ["2", "1", "2", "2"]


def test_accounts_have_every_kind_of_host_and_one_has_a_role(lab: Lab) -> None:
    accounts = set(lab.sql("controller-1", "SELECT CONCAT(user, '@', host) FROM mysql.user").split())
    assert {f"{name}@%" for name in SERVICES} <= accounts
    assert {
        "nova@192.168.24.%",
        "neutron@controller-0.internalapi.localdomain",
        "clustercheck@localhost",
        "root@localhost",
        "root@%",
        f"{ROLE}@",
    } <= accounts
    assert f"GRANT `{ROLE}` TO `monitoring`@`%`" in lab.sql("controller-1", "SHOW GRANTS FOR monitoring@'%'")


def test_hiera_knows_the_vip_and_the_root_password(lab: Lab) -> None:
    hiera = "hiera -c /etc/puppet/hiera.yaml"
    assert lab.exec("controller-0", f"{hiera} mysql_vip").stdout.strip() == lab.vip
    assert lab.exec("controller-0", f"{hiera} mysql::server::root_password").stdout.strip() == lab.root_password


def test_the_data_directory_has_owner_and_label(lab: Lab) -> None:
    for host in lab.controllers:
        seen = lab.exec(host, "stat -c '%u:%g %a %C' /var/lib/mysql").stdout.strip()
        assert seen == "42434:42434 755 system_u:object_r:container_file_t:s0"


def test_clustercheck_answers_http(lab: Lab) -> None:
    for host in lab.controllers:
        url = f"http://{HOSTS[host].address}:9200/"
        assert "node is synced" in lab.exec("undercloud", ["curl", "--silent", "--fail", url]).stdout


def test_both_users_have_passwordless_sudo_and_pinned_hosts(lab: Lab) -> None:
    for user in ("stack", "heat-admin"):
        assert lab.exec("backup", ["su", "-", user, "-c", "sudo -n id -u"]).stdout == "0\n"
    hop = "ssh -o StrictHostKeyChecking=yes heat-admin@controller-1 sudo -n hostname"
    assert lab.exec("undercloud", ["su", "-", "stack", "-c", hop]).stdout == "controller-1\n"


def test_the_inventory_has_what_tripleo_writes(lab: Lab) -> None:
    inventory = yaml.safe_load(lab.inventory.read_text())
    assert inventory["Undercloud"]["hosts"] == {"undercloud": {}}
    assert inventory["Undercloud"]["vars"]["ansible_connection"] == "local"
    assert set(inventory["Controller"]["hosts"]) == set(lab.controllers)
    assert inventory["Controller"]["hosts"]["controller-0"]["ansible_host"] == "192.168.24.11"
    assert inventory["mysql"] == {"children": {"Controller": {}}, "vars": {"ansible_ssh_user": "heat-admin"}}


def test_the_site_file_points_at_files_that_are_there(lab: Lab) -> None:
    site = tomllib.loads(lab.site.read_text())
    assert site["inventory"] == str(lab.inventory)
    assert site["ssh"] == {"user": "heat-admin", "key": str(lab.key), "known_hosts": str(lab.known_hosts)}
    assert all(path.is_file() for path in (lab.inventory, lab.key, lab.known_hosts))


def test_only_the_complete_dump_has_every_schema(lab: Lab) -> None:
    def schemas(dump: str) -> set[str]:
        found = lab.exec("controller-0", ["grep", "-aoP", "^USE `\\K[^`]+", dump]).stdout
        return set(found.split())

    assert schemas(dumps.documented(lab).dump) == set(SERVICES)
    assert schemas(dumps.as_role(lab).dump) == set(SERVICES)
    assert schemas(dumps.complete(lab).dump) == set(SCHEMAS)
    assert schemas(dumps.whole_server(lab).dump) == {*SCHEMAS, "mysql"}


def test_a_second_up_says_who_holds_the_lab(lab: Lab) -> None:
    with exclusive(LOCK, "a test"), pytest.raises(LabError, match=r"held by process \d+, 'a test'"):
        lab.up()


def test_a_lab_of_another_size_is_not_replaced(lab: Lab) -> None:
    with pytest.raises(LabError, match="MB of databases"):
        lab.up(size_mb=3)


def test_a_controller_comes_back_after_a_power_cut(lab: Lab) -> None:
    lab.kill("controller-1")
    assert "controller-1" in lab.missing()
    lab.start("controller-1")
    lab.wait_healthy(180)


def test_the_undercloud_has_a_database_and_services_that_come_back_after_a_power_cut(lab: Lab) -> None:
    assert undercloud.missing(lab.machines) == ""
    lab.kill(UNDERCLOUD)
    lab.start(UNDERCLOUD)
    undercloud.wait_running(lab.machines)
    assert set(undercloud.sql(lab.machines, _SCHEMA_NAMES).split()) == {"keystone", "ironic", "heat"}
    asked = lab.exec(UNDERCLOUD, "hiera -c /etc/puppet/hiera.yaml mysql::server::root_password").stdout
    assert asked.strip() == undercloud.ROOT_PASSWORD
