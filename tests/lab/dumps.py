"""Dumps of the lab's database on controller-0, taken in the ways in which operators have them."""

from dataclasses import dataclass

from tests.lab.lab import Lab

HOST = "controller-0"
DIRECTORY = "/home/heat-admin"


@dataclass(frozen=True)
class Dump:
    """Where a dump lies on controller-0."""

    dump: str
    grants: str


def documented(lab: Lab) -> Dump:
    """Takes a dump with the commands of the backup guide."""
    return _take(lab, "dump-documented.sh", "openstack_database.sql", "grants.sql")


def as_role(lab: Lab) -> Dump:
    """Takes a dump as the Ansible role backup_and_restore does in its tasks/db_backup.yml."""
    return _take(lab, "dump-role.sh", "openstack-backup-mysql.sql", "openstack-backup-mysql-grants.sql")


def complete(lab: Lab) -> Dump:
    """Takes a dump that has everything: all schemas with all their objects, all accounts and roles but root."""
    return _take(lab, "dump-complete.sh", "complete.sql", "complete-grants.sql")


def whole_server(lab: Lab) -> Dump:
    """Takes a dump of the whole server, with the server's own schema, and the complete grants."""
    # Under names of its own: a test may hold another complete dump.
    grants = _take(lab, "dump-complete.sh", "beside-all-databases.sql", "all-databases-grants.sql").grants
    return Dump(_take(lab, "dump-whole.sh", "all-databases.sql", grants).dump, grants)


def _take(lab: Lab, script: str, dump: str, grants: str) -> Dump:
    lab.run_script(HOST, script, DIRECTORY, dump=dump, grants=grants, root_password=lab.root_password)
    return Dump(f"{DIRECTORY}/{dump}", grants if grants.startswith("/") else f"{DIRECTORY}/{grants}")
