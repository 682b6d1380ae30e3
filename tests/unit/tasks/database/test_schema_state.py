"""What a node says of its schemas."""

from __future__ import annotations

import pytest

from blocks.remote.errors import HostError
from tasks.database.mariadb import Server
from tasks.database.schema_state import parse_schema_state, read_schema_state
from tests.unit.fakes import FakeShell

SAID = (
    "ddl\t7\tnova\tALTER\nschema\tnova\t\t\nschema\theat\t\t\nschema\tnova_kept_x\t\t\nmark\tnova_kept_x\t\t\n"
    "key\theat\tstack\tnova\nend\t\t\t\n"
)


def test_all_that_was_said_is_there() -> None:
    state = parse_schema_state(SAID)
    assert state is not None
    assert state.schemas == {"nova", "heat", "nova_kept_x"}
    assert state.kept == {"nova_kept_x"}
    assert (list(state.leads_into("nova")), list(state.leads_into("heat"))) == (["heat.stack"], [])
    assert state.ddl == ("ALTER of nova (connection 7)",)


@pytest.mark.parametrize("said", ["", SAID.removesuffix("end\t\t\t\n")])
def test_an_answer_without_its_end_is_none(said: str) -> None:
    shell = FakeShell().on("mysql", say=said)
    with pytest.raises(HostError, match="did not say to the end which schemas it has"):
        read_schema_state(shell, Server("c", "/var/lib/mysql", "/root/.my.cnf", "restore-schemas"))
