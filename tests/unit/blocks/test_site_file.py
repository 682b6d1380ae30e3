"""Site files: what a good one makes, and how each bad one is refused."""

from pathlib import Path

import pytest

from blocks.site import BACKUP_NODE, UNDERCLOUD
from blocks.site_file import SiteFileError, read_site, unpinned_roles
from blocks.store import BackupStore
from deployments.project import PROJECT
from tests.site_files import PUBLIC_KEY, write_site

_STORE = '[store]\nkind = "nfs"\nhost = "a"\npath = "/b"\n'
_NODE = "overcloud-controller-0"
_BMC = '[bmc.{}]\naddress = "10.0.0.21"\nuser = "operator"\npassword_file = "password"\n'


def refusal(file: Path) -> str:
    """Return the message with which a site file is refused."""
    with pytest.raises(SiteFileError) as error:
        read_site(file)
    message = str(error.value)
    assert all(line.startswith(f"{file}: ") for line in message.splitlines())
    return message.replace(f"{file}: ", "")


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_makes_a_site(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, more='[store]\nkind = "nfs"\nhost = "192.168.24.100"\npath = "/backups"\n'))
    assert site.site == "lab"
    assert [host.address for host in site.hosts_with(site.database.role)] == [
        "192.168.24.21",
        "192.168.24.22",
        "192.168.24.23",
    ]
    assert site.host("undercloud").address == "192.168.24.1"
    assert (site.ssh.key, site.ssh.known_hosts) == (tmp_path / "key", tmp_path / "known_hosts")
    assert site.store is not None
    assert site.cloud is None


def test_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_site(tmp_path / "sites")
    monkeypatch.chdir(tmp_path)
    assert read_site(Path("sites/lab.toml")).ssh.key == tmp_path / "sites" / "key"


def test_the_example_needs_only_its_keys(tmp_path: Path) -> None:
    sites = PROJECT / "deployments" / "sites"
    write_site(tmp_path).unlink()
    (tmp_path / "known_hosts").rename(tmp_path / "example-known_hosts")
    text = (sites / "example.toml").read_text().replace("~/.ssh/id_ed25519", "key")
    (tmp_path / "example-inventory.yaml").write_text((sites / "example-inventory.yaml").read_text())
    (tmp_path / "example.toml").write_text(text)
    assert read_site(tmp_path / "example.toml").site == "example"


def test_the_comments_of_the_example_are_what_they_say(tmp_path: Path) -> None:
    """Everything that the example leaves out, taken in, is still a site file."""
    text = (PROJECT / "deployments" / "sites" / "example.toml").read_text()
    site = write_site(tmp_path)
    optional = text[text.index("[database]") :].replace("\n# ", "\n")
    password = tmp_path / "bmc-password"
    password.touch()
    password.chmod(0o600)
    site.write_text(site.read_text() + optional)
    made = read_site(site)
    assert made.store is not None
    assert made.store.bandwidth_bytes_per_s == 50 * 2**20
    assert made.store.age_recipient
    plain = BackupStore(kind="nfs", host="192.168.24.100", path="/ctl_plane_backups")
    assert made.store == plain.model_copy(
        update={
            key: getattr(made.store, key)
            for key in ("bandwidth_bytes_per_s", "age_recipient", "age_identity", "drill_host")
        }
    )
    assert made.cloud is not None
    (bmc,) = made.bmc.values()
    assert bmc.certificate_sha256 is not None
    assert (bmc.password_file, len(bmc.certificate_sha256)) == (password, 64)
    assert made.database == type(made.database)()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('user = "heat-admin"', 'usr = "heat-admin"', "[ssh] user: missing\n[ssh] usr: unknown key"),
        ("[ssh]", "[sssh]", "ssh: missing\nsssh: unknown key"),
        ('name = "lab"', 'name = "My Lab"', "name: String should match pattern"),
        ('name = "lab"', "name = 3", "name: Input should be a valid string"),
        ('user = "heat-admin"', 'user = "heat-admin"\nport = "many"', "[ssh] port: Input should be a valid integer"),
        ('user = "heat-admin"', 'user = "heat-admin"\nport = 0', "[ssh] port: Input should be greater than or equal"),
        ('"192.168.24.1"', '"localhost"', "undercloud_address: is the machine that connects"),
        ("[ssh]", _STORE + 'bandwidth_bytes_per_s = "50 MB"\n[ssh]', "[store] bandwidth_bytes_per_s: must be bytes"),
        (
            "[ssh]",
            _STORE + "bandwidth_bytes_per_s = 5\n[ssh]",
            "[store] bandwidth_bytes_per_s: Input should be greater",
        ),
        ("[ssh]", _STORE + 'age_recipient = "AGE-SECRET-KEY-1QQ"\n[ssh]', "[store] age_recipient: String should match"),
        ("[ssh]", _STORE + 'integrity = "signature"\n[ssh]', "[store] integrity: Input should be 'chain'"),
        ("[ssh]", _STORE + "max_age_h = 0\n[ssh]", "[store] max_age_h: Input should be greater"),
        ("[ssh]", _STORE + "retention.last = 0\n[ssh]", "[store] retention.last: Input should be greater"),
        ("[ssh]", _STORE + "retention.yearly = 1\n[ssh]", "[store] retention.yearly: unknown key"),
        ("[ssh]", '[database]\ndata_directory = "/var"\n[ssh]', "[database] data_directory: must lie at least three"),
        ("[ssh]", '[store]\nkind = "ftp"\nhost = "a"\npath = "/b"\n[ssh]', "[store] kind: Input should be 'nfs' or"),
        ("[ssh]", '[rear]\nnfs_clients = ["192.168.24.1/24"]\n[ssh]', "[rear] nfs_clients.0: must be a network"),
        ("[ssh]", "[rear]\nnfs_clients = []\n[ssh]", "[rear] nfs_clients: List should have at least 1 item"),
        ("[ssh]", '[rear]\narchive = "away"\n[ssh]', "[rear] archive: Input should be 'beside' or 'inside'"),
        ("[ssh]", '[rear]\nsftp_user = "-oProxyCommand=x"\n[ssh]', "[rear] sftp_user: String should match pattern"),
        ("[ssh]", '[rear.networking]\ngone = ["ip link"]\n[ssh]', "[rear] networking: no host is called gone"),
        (
            "[ssh]",
            "[rear.networking]\novercloud-controller-0 = [\"echo 'x'\"]\n[ssh]",
            "[rear] networking.overcloud-controller-0.0: String should match pattern",
        ),
        ("[ssh]", "[rear.variables]\nother_role = 1\n[ssh]", "[rear] variables.other_role.[key]: String should match"),
        (
            "[ssh]",
            '[rear.variables]\ntripleo_backup_and_restore_server = "10.0.0.1"\n[ssh]',
            "[rear] variables.tripleo_backup_and_restore_server.[key]: is set by the runbook, from [store] and [rear]",
        ),
        ("[ssh]", _BMC.format("gone") + "[ssh]", "[bmc] no host is called gone"),
        ("[ssh]", _BMC.format(_NODE) + "[ssh]", f"[bmc.{_NODE}] password_file: "),
        (
            "[ssh]",
            _BMC.format(_NODE) + 'certificate_sha256 = "3F:AA"\n[ssh]',
            f"[bmc] {_NODE}.certificate_sha256: must be a SHA-256 as `openssl x509",
        ),
        ("[ssh]", _BMC.format(_NODE) + 'password = "x"\n[ssh]', f"[bmc] {_NODE}.password: unknown key"),
        ("[ssh]", '[rear]\niso_url = "http://a/b?c=d"\n[ssh]', "[rear] iso_url: must be an address like http://"),
        ("[ssh]", '[rear]\niso_url = "http://me:pw@a/b"\n[ssh]', "[rear] iso_url: must be an address like http://"),
        ("[ssh]", '[database]\nrole = "mariadb"\n[ssh]', "[database] role: the inventory has no group 'mariadb'"),
        ('undercloud_address = "192.168.24.1"', "", "undercloud_address: missing, and the inventory has 'localhost'"),
        ('"inventory.yaml"', '"gone.yaml"', "gone.yaml can't be read: No such file or directory"),
        ('key = "key"', 'key = "id_gone"', "id_gone: file not found"),
        ('"known_hosts"', '"pinned"', "pinned: file not found"),
        ("[ssh]", "[ssh", "not valid TOML"),
    ],
)
def test_a_bad_key_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    file = write_site(tmp_path)
    replace(file, old, new)
    assert problem in refusal(file)


def test_the_value_of_a_bad_key_is_not_repeated(tmp_path: Path) -> None:
    file = write_site(tmp_path, more='password = "s3cret"\n')
    assert refusal(file) == "[ssh] password: unknown key"


def test_refuses_a_key_that_others_may_read(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    (tmp_path / "key").chmod(0o644)
    assert refusal(file) == f"[ssh] key: {tmp_path}/key is open to others (mode 0644); `chmod 600 {tmp_path}/key`"


def test_lists_the_hosts_without_a_pinned_key(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    drop_keys(tmp_path, "192.168.24.1", "192.168.24.11")
    message = refusal(file)
    assert message.startswith("[ssh] known_hosts: ")
    assert "no key for overcloud-controller-0 (192.168.24.11), undercloud (192.168.24.1). Add" in message
    assert "`ssh-keyscan 192.168.24.11 192.168.24.1 >>" in message


def drop_keys(folder: Path, *addresses: str) -> None:
    lines = (folder / "known_hosts").read_text().splitlines(keepends=True)
    (folder / "known_hosts").write_text("".join(line for line in lines if line.split()[0] not in addresses))


STORE = '[store]\nkind = "nfs"\nhost = "{}"\npath = "/backups"\n'


def test_hosts_that_are_reached_on_demand_need_no_key_and_are_told(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    inventory = (tmp_path / "inventory.yaml").read_text()
    (tmp_path / "inventory.yaml").write_text(f"tuned: {{children: {{Compute: {{}}, Networker: {{}}}}}}\n{inventory}")
    assert unpinned_roles(read_site(file)) == ""
    drop_keys(tmp_path, "192.168.24.51", "192.168.24.41")
    assert unpinned_roles(read_site(file)) == (
        f"site lab: 1 host of role Networker, 1 host of role Compute without a key in {tmp_path}/known_hosts; a runbook "
        "that is told to work on them (set-telemetry-interval with such a `role`) will refuse"
    )


@pytest.mark.parametrize("address", ["192.168.24.21", "192.168.24.11", "192.168.24.1", "192.168.24.100"])
def test_hosts_that_every_runbook_may_reach_need_a_key(tmp_path: Path, address: str) -> None:
    file = write_site(tmp_path, more=STORE.format("192.168.24.100"))
    drop_keys(tmp_path, address)
    assert f"`ssh-keyscan {address} >> " in refusal(file)


def test_lines_that_name_a_host_and_pin_nothing_are_told(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    drop_keys(tmp_path, "192.168.24.21")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"@revoked 192.168.24.51 {PUBLIC_KEY}\n192.168.24.21 ssh-rsa\n{known_hosts.read_text()}")
    message = refusal(file)
    assert "no key for overcloud-database-0 (192.168.24.21) (line 2: it ends before the key). Add" in message
    assert "line 1" not in message


def test_the_backup_node_is_a_host(tmp_path: Path) -> None:
    site = read_site(write_site(tmp_path, more=STORE.format("192.168.24.100")))
    assert site.named(BACKUP_NODE) == site.host("backup-node")
    assert site.host("backup-node").address == "192.168.24.100"


@pytest.mark.parametrize("host", ["192.168.24.31", "overcloud-messaging-0"])
def test_the_backup_node_may_be_a_host_of_the_inventory(tmp_path: Path, host: str) -> None:
    site = read_site(write_site(tmp_path, more=STORE.format(host)))
    assert site.named(BACKUP_NODE) == site.host("overcloud-messaging-0")


def test_a_backup_node_that_is_another_host_s_name_is_refused(tmp_path: Path) -> None:
    file = write_site(tmp_path, more=STORE.format("192.168.24.100"))
    replace(tmp_path / "inventory.yaml", "overcloud-messaging-0", "backup-node")
    assert "[store] host: the inventory has a host backup-node at 192.168.24.31, not at 192.168.24.100" in refusal(file)


def test_a_backup_node_on_loopback_is_refused(tmp_path: Path) -> None:
    assert refusal(write_site(tmp_path, more=STORE.format("localhost"))).startswith("[store] host: is the machine that")


def test_a_host_of_drills_that_is_none_is_refused(tmp_path: Path) -> None:
    file = write_site(tmp_path, more=STORE.format("192.168.24.100") + 'drill_host = "seven"\n')
    assert refusal(file) == "[store] drill_host: no host is called seven"


def test_the_undercloud_is_a_host_under_whatever_name(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    assert read_site(file).named(UNDERCLOUD).address == "192.168.24.1"
    replace(tmp_path / "inventory.yaml", "    undercloud: {}", "    director: {ansible_host: 192.168.24.1}")
    assert read_site(file).named(UNDERCLOUD).name == "director"


def test_an_account_of_a_host_that_is_none_is_refused(tmp_path: Path) -> None:
    file = write_site(tmp_path, more='users = { undercloud = "stack", director = "stack" }\n')
    assert refusal(file) == "[ssh] users: no host is called director"
    replace(file, ', director = "stack"', "")
    site = read_site(file)
    assert site.ssh.users == {"undercloud": "stack"}


def test_refuses_a_child_that_is_no_group(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    with (tmp_path / "inventory.yaml").open("a") as inventory:
        inventory.write("rabbitmq:\n  children:\n    Rabbits: {}\n")
    assert "inventory.yaml: group rabbitmq has the child 'Rabbits', which is no group" in refusal(file)


def test_refuses_a_host_name_that_a_command_could_not_take(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    replace(tmp_path / "inventory.yaml", "overcloud-messaging-0", "-oProxyCommand")
    assert "inventory.yaml: [hosts] -oProxyCommand.[key]: String should match pattern" in refusal(file)


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    file = write_site(tmp_path)
    (tmp_path / "key").unlink()
    (tmp_path / "known_hosts").unlink()
    replace(file, "[ssh]", '[database]\nrole = "mariadb"\n[ssh]')
    assert len(refusal(file).splitlines()) == 3


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "gone.toml") == "can't be read: No such file or directory"


def test_the_underclouds_database_has_settings_of_its_own(tmp_path: Path) -> None:
    site = write_site(tmp_path, more='[undercloud_database]\ncontainer = "mariadb"\n')
    made = read_site(site)
    assert (made.undercloud_database.container, made.undercloud_database.data_directory) == (
        "mariadb",
        "/var/lib/mysql",
    )
    assert made.database.container_pattern == "galera-bundle"
