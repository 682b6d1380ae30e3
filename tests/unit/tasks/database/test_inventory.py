"""What a database that answers holds is read in one question that changes nothing."""

from __future__ import annotations

import re

import pytest

from tasks.database.access import Account
from tasks.database.inventory import _SQL, Named, parse_inventory, read_inventory
from tasks.database.mariadb import Server
from tests.unit.fakes import FakeShell

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
SAID = (
    "schema\tnova\t\t0\ntable\tnova\tinstances\t1999\ntable\tnova\ta\\\\b\t0\nview\tnova\tactive\t0\n"
    "routine\tnova\tvcpus_of\t0\nevent\tkeystone\tpurge\t0\ntrigger\tneutron\tlog\t0\n"
    "account\tnova\tCtl-0.Example\t0\nrole\treader\t\t0\nend\t\t\t0\n"
)


def test_everything_is_read_by_its_kind() -> None:
    found = read_inventory(FakeShell().on("mysql", "--batch", say=SAID), SERVER)
    assert found is not None
    assert found.host == "controller-0"
    assert found.schemas == frozenset({"nova"})
    assert found.tables == {Named("nova", "instances"): 1999, Named("nova", "a\\b"): 0}
    assert found.views == frozenset({Named("nova", "active")})
    assert found.routines == frozenset({Named("nova", "vcpus_of")})
    assert found.events == frozenset({Named("keystone", "purge")})
    assert found.triggers == frozenset({Named("neutron", "log")})
    assert found.accounts == frozenset({Account("nova", "ctl-0.example")})
    assert found.roles == frozenset({"reader"})


@pytest.mark.parametrize("say", ["", SAID.replace("end\t\t\t0\n", ""), "ERROR 1045\n", 1])
def test_a_server_that_does_not_come_to_the_end_of_its_answer_has_given_none(say: str | int) -> None:
    assert read_inventory(FakeShell().on("mysql", "--batch", say=say), SERVER) is None


def test_an_empty_server_is_an_answer() -> None:
    found = parse_inventory("h", "end\t\t\t0\n")
    assert found is not None
    assert found.schemas == set()


def test_the_question_only_reads_and_has_a_bound() -> None:
    statements = [statement.strip() for statement in _SQL.split(";") if statement.strip()]
    assert all(re.match(r"SELECT |SET SESSION ", statement) for statement in statements)
    assert "max_statement_time = 30" in statements[0]
