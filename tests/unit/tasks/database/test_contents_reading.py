"""What is in a server is read from one answer, of which everything is understood or nothing is taken."""

from __future__ import annotations

import re

import pytest

from blocks.remote.errors import HostError
from blocks.remote.shell import Result
from tasks.database.contents import ServerContents
from tasks.database.contents_reading import NotRead, parse_contents, read_contents, read_contents_file, table_parts
from tasks.database.contents_sql import contents_sql
from tasks.database.mariadb import Server
from tests.unit.fakes import FakeShell

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "backup-control-plane")
TABLE = (
    r"CREATE TABLE `ports` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `mac` varchar(32) DEFAULT NULL,\n"
    r"  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`mac`),\n  KEY `odd``name` (`mac`),\n"
    r"  CONSTRAINT `net` FOREIGN KEY (`id`) REFERENCES `n` (`id`),\n  CONSTRAINT `c` CHECK (`id` > 0)\n"
    r") ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT=') ENGINE=x AUTO_INCREMENT=9'"
)
ROWS = [
    "version\t10.3.28-MariaDB\t5f0c\t42",
    "schema\tneutron\tutf8mb4\tutf8mb4_general_ci",
    "table\tneutron\tports\tInnoDB\tBASE TABLE\t2026-11-27 01:30:00",
    "create\tTABLE\tneutron\tports",
    f"ports\t{TABLE}",
    "rows\tneutron\tports\t3\t12345678901234567890",
    "table\tneutron\tbig\tInnoDB\tSYSTEM VERSIONED\t",
    "create\tTABLE\tneutron\tbig",
    "unreadable\tTABLE\tneutron\tbig\tTable is marked as crashed",
    "left out\tneutron\tbig\tit has 9 MiB",
    "unlocked",
    "sequence\tneutron\tticket\tInnoDB\tSEQUENCE\t",
    "create\tSEQUENCE\tneutron\tticket",
    "ticket\tCREATE SEQUENCE `ticket`",
    "next\tneutron\tticket\t101\t1",
    "create\tTRIGGER\tneutron\tunreadable",
    "unreadable\tSTRICT\tCREATE TRIGGER x\tutf8\tutf8_bin\tutf8_bin\t2026-11-27 10:00:00.00",
    "order\tTRIGGER\tneutron\tunreadable\tports\t1",
    "account\tnova\tCtl-0.Example\tN\tNULL\t\tabcd\tef01\tPROCESS, SUPER",
    "global\tnova\tCtl-0.Example\t99\t0\t32",
    "grant\tnova\tCtl-0.Example\t`nova`.*\tSelect, Insert",
    "role\tnova\tCtl-0.Example\treader\tY",
    "end\t12",
]
SAID = "\n".join(ROWS) + "\n"


def test_everything_is_read_by_its_kind() -> None:
    found = parse_contents(SAID)
    assert (found.version, found.galera, found.took_s, found.rows) == ("10.3.28-MariaDB", "5f0c:42", 12, 3)
    neutron = found.schemas["neutron"]
    ports = neutron.tables["ports"]
    assert (ports.rows, ports.content, ports.transactional) == (3, "12345678901234567890", True)
    assert (ports.written, neutron.tables["big"].written) == ("2026-11-27 01:30:00", "")
    assert list(ports.parts) == [
        *(
            "column id",
            "column mac",
            "primary key",
            "index u",
            "index odd`name",
            "foreign key net",
            "check c",
            "options",
        ),
    ]
    assert neutron.tables["big"].left_out == "it has 9 MiB"
    assert neutron.tables["big"].versioned
    assert found.unreadable == {"table neutron.big": "Table is marked as crashed"}
    assert (neutron.sequences["ticket"].next_value, neutron.sequences["ticket"].increment) == (101, 1)
    assert list(neutron.programs["trigger"]) == ["unreadable"], "a trigger of that name is none that can't be read"
    account = found.accounts["'nova'@'ctl-0.example'"]
    assert account.grants == {"*.*": ("PROCESS", "SUPER", "bits 32"), "`nova`.*": ("INSERT", "SELECT")}
    assert (account.roles, account.default_role) == ({"reader": True}, "")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("InnoDB AUTO_INCREMENT=7", "InnoDB AUTO_INCREMENT=8", True),
        ("InnoDB AUTO_INCREMENT=7", "InnoDB", True),
        ("AUTO_INCREMENT=9'", "AUTO_INCREMENT=8'", False),
        ("2026-11-27 10:00:00.00", "2026-11-28 11:00:00.00", True),
        ("utf8_bin\t2026", "utf8_ci\t2026", False),
        ("`mac` varchar(32)", "`mac` varchar(33)", False),
        ("ports\t1\n", "ports\t2\n", False),
        ("\tabcd\t", "\tabce\t", False),
        ("\t99\t0\t32", "\t99\t1\t32", False),
    ],
)
def test_what_counts_as_another_definition(old: str, new: str, same: bool) -> None:
    assert old in SAID
    assert (parse_contents(SAID.replace(old, new)) == parse_contents(SAID)) is same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ERROR 2013 (HY000): Lost connection\n",
        SAID.removesuffix("end\t12\n"),
        SAID.replace("schema\tneutron\tutf8mb4\tutf8mb4_general_ci\n", ""),
        SAID.replace("rows\tneutron\tports\t3", "rows\tneutron\tports\tmany"),
        SAID.replace("rows\tneutron\tports\t3\t12345678901234567890", "rows\tneutron\tports\t3"),
        SAID.replace("table\tneutron\tports\tInnoDB\tBASE TABLE\t2026-11-27 01:30:00\n", ""),
        SAID.replace("left out", "left behind"),
    ],
)
def test_an_answer_that_is_not_whole_is_none(text: str) -> None:
    with pytest.raises(NotRead):
        parse_contents(text)


def test_a_definition_may_hold_whatever_python_takes_for_a_line_break() -> None:
    text = SAID.replace("DEFAULT NULL", "DEFAULT '\u2028\x0b\x1c\r'")
    assert list(parse_contents(text).schemas["neutron"].tables["ports"].parts) == list(
        parse_contents(SAID).schemas["neutron"].tables["ports"].parts
    )


def test_it_is_written_as_json_and_read_back() -> None:
    found = parse_contents(SAID)
    assert ServerContents.model_validate_json(found.model_dump_json()) == found


def test_options_of_partitions_are_options() -> None:
    parts = table_parts("CREATE TABLE `t` (\n  `a` int\n) ENGINE=InnoDB\n PARTITION BY HASH (`a`)\n  (`x`)")
    assert list(parts) == ["column a", "options"]


def test_a_server_that_gives_no_answer_is_an_error_that_says_whose() -> None:
    with pytest.raises(HostError, match="controller-0: what is in the server could not be read"):
        read_contents(FakeShell().on("mysql", "--batch", say="version\tx"), SERVER, 1, 1)


def test_what_a_dump_has_left_is_read_and_an_error_shows_nothing_of_it() -> None:
    assert read_contents_file(FakeShell().on("cat", say=SAID), "/x") == parse_contents(SAID)
    cut = FakeShell().on("cat", say=Result(SAID[:-9], "I/O error", 1))
    with pytest.raises(HostError) as raised:
        read_contents_file(cut, "/x")
    assert "CREATE TABLE" not in str(raised.value)


def test_the_question_only_reads() -> None:
    sql = contents_sql(10 * 1024**2, 600, 30)
    begun = re.findall(r"(?m)^\s*(INSERT|UPDATE|DELETE|DROP|ALTER|CREATE|GRANT|SET GLOBAL|FLUSH|CALL|LOCK)\b", sql)
    assert begun == []
    assert "READ ONLY" in sql
    assert "10 MiB" in sql
    assert sql.index("INTERVAL 30 SECOND") < sql.index("SELECT 'unlocked'") < sql.index("INTERVAL 600 SECOND")
