"""Each kind of damage that a backup can have is found, and named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.database.backups import Backup, drill
from tests.database.local_server import LocalServer

Damage = Callable[[Backup], Backup]


def sql(change: Callable[[bytes], bytes]) -> Damage:
    """Damages the dump's text, which must differ then."""

    def damage(backup: Backup) -> Backup:
        changed = change(backup.sql)
        assert changed != backup.sql
        return backup.with_sql(changed)

    return damage


def without(pattern: str, by: str = "", count: int = 0) -> Damage:
    """Replaces what the pattern finds in the dump."""
    return sql(lambda text: re.sub(pattern.encode(), by.encode(), text, count=count, flags=re.DOTALL | re.MULTILINE))


def grants(pattern: str, by: str = "") -> Damage:
    """Replaces what the pattern finds in the grants."""

    def damage(backup: Backup) -> Backup:
        changed = re.sub(pattern, by, backup.grants, flags=re.MULTILINE)
        assert changed != backup.grants
        return replace(backup, grants=changed)

    return damage


def flipped(backup: Backup) -> Backup:
    """Another bit in the middle of the compressed stream."""
    at = len(backup.dump) // 2
    return replace(backup, dump=backup.dump[:at] + bytes([backup.dump[at] ^ 0x10]) + backup.dump[at + 1 :])


def cut(backup: Backup) -> Backup:
    """The compressed stream without its last quarter."""
    return replace(backup, dump=backup.dump[: len(backup.dump) * 3 // 4])


def other_site(backup: Backup) -> Backup:
    """What another site's manifest would say."""
    accounts = {**backup.contents.accounts, "'heat'@'%'": backup.contents.accounts["'nova'@'%'"]}
    schemas = {"heat": backup.contents.schemas["nova"]}
    return replace(backup, contents=backup.contents.model_copy(update={"schemas": schemas, "accounts": accounts}))


def other_version(backup: Backup) -> Backup:
    """A server of another series."""
    return replace(backup, contents=backup.contents.model_copy(update={"version": "10.3.28-MariaDB"}))


def by_hand(backup: Backup) -> Backup:
    """A manifest in which somebody has changed a number of rows."""
    text = backup.contents.model_dump_json().replace('"rows":300', '"rows":299')
    return replace(backup, contents=type(backup.contents).model_validate_json(text))


_DUMP_END = r"^-- Dump completed.*"
_BODY = r"^DELIMITER ;;\n(?:(?!^DELIMITER ;$).)*?{}(?:(?!^DELIMITER ;$).)*^DELIMITER ;\n"
# What is damaged → how, and what is said of it.
DAMAGES: dict[str, tuple[Damage, str]] = {
    "compressed stream, a bit flipped": (flipped, "the dump can't be unpacked"),
    "compressed stream, cut": (cut, "the dump can't be unpacked"),
    "nothing in the dump": (sql(lambda text: b""), "the dump is cut short"),
    "the last line missing": (without(_DUMP_END), "the dump is cut short"),
    "cut in the middle of a row": (sql(lambda text: text[: text.index(b"uuid-150")]), "the dump is cut short"),
    "cut at a statement's end": (
        sql(lambda text: text[: text.index(b";\n", text.index(b"INSERT INTO `faults`")) + 2]),
        "the dump is cut short",
    ),
    "cut, with a last line put behind": (
        without(r"INSERT INTO `instances`.*?;\n.*^-- Dump completed", "-- Dump completed"),
        "is missing",
    ),
    "a byte of the data flipped": (
        without("uuid-150", "uuid-15p"),
        "table nova.instances: has as many rows, 300, and other",
    ),
    "a byte of a keyword flipped": (without("INSERT INTO `notes`", "INSERD INTO `notes`"), "the dump can't be loaded"),
    "a schema missing": (
        without(r"CREATE DATABASE [^\n]*`nothing_in_it`[^\n]*|^USE `nothing_in_it`;"),
        "schema nothing_in_it: is missing",
    ),
    "a schema of views missing": (
        without(r"(CREATE DATABASE [^\n]*|^USE )`only_views`.*?(?=^CREATE DATABASE|^USE `nova`)"),
        "schema only_views: is missing",
    ),
    "a schema's character set": (
        without(r"(CREATE DATABASE [^\n]*`nova` [^\n]*?)utf8mb4( COLLATE \w+)?", r"\1latin1"),
        "schema nova: has the default latin1",
    ),
    "a table missing": (
        without(r"CREATE TABLE `invoices`.*?UNLOCK TABLES;"),
        "table legacy.invoices: is missing",
    ),
    "a table's rows missing": (
        without(r"^INSERT INTO `invoices`.*?;\n"),
        "50 rows fewer: 0, not 50; no snapshot holds",
    ),
    "a table of another engine": (without("ENGINE=MyISAM", "ENGINE=InnoDB"), "has the engine InnoDB, not MyISAM"),
    "one row fewer": (without(r"\('left',\d\),\n?"), "table nova.notes: has one row fewer: 5, not 6"),
    "one row changed": (without(r"'left'", "'LEFT'"), "table nova.notes: has as many rows, 6, and other values"),
    "one row doubled": (
        without(r"(\('left',\d\)),", r"\1,\1,"),
        "table nova.notes: has one row more: 7, not 6",
    ),
    "two equal rows of another value": (without("'same'", "'Same'"), "table nova.notes: has as many rows"),
    "values of two rows exchanged": (
        sql(lambda text: text.replace(b"'left'", b"'@@'").replace(b"'right'", b"'left'").replace(b"'@@'", b"'right'")),
        "table nova.notes: has as many rows",
    ),
    "NULL for empty": (without(r"\('',", "(NULL,"), "table nova.notes: has as many rows"),
    "empty for NULL": (without(r"\(NULL,", "('',"), "table nova.notes: has as many rows"),
    "a blank behind a value": (without("'left'", "'left '"), "table nova.notes: has as many rows"),
    "a column of another type": (
        without("`note` varchar\\(20\\)", "`note` varchar(21)"),
        "column note: is defined in another",
    ),
    "a column's default": (
        without("`host` varchar\\(255\\) DEFAULT NULL", "`host` varchar(255) DEFAULT ''"),
        "column host",
    ),
    "an index missing": (without(r"  KEY `ix_host` \(`host`\),\n"), "index ix_host: is missing"),
    "an index no longer unique": (
        without("UNIQUE KEY `ix_uuid`", "KEY `ix_uuid`"),
        "index ix_uuid: is defined in another",
    ),
    "a check missing": (without(r"`few_vcpus` CHECK \(`vcpus` < 100\)", "`few_vcpus` CHECK (1)"), "check few_vcpus"),
    "a foreign key missing": (
        without(r",\n  CONSTRAINT `fault_of_instance`[^\n]*"),
        "foreign key fault_of_instance: is missing",
    ),
    "a view missing": (
        without(
            r"^/\*!50001 (DROP VIEW IF EXISTS|CREATE VIEW) `active`.*?\*/;"
            r"|^/\*!50001 CREATE ALG[^\n]*\n[^\n]*\n/\*!50001 VIEW `active`[^\n]*"
        ),
        "view nova.active: is missing",
    ),
    "a view that selects something else": (
        without(r"VIEW `active` AS select", "VIEW `active` AS select distinct"),
        "view nova.active",
    ),
    "a view of another definer": (
        without(r"(DEFINER=`root`@`localhost` SQL SECURITY) DEFINER( \*/\n/\*!50001 VIEW `active`)", r"\1 INVOKER\2"),
        "view nova.active: has another definition",
    ),
    "a function missing": (without(_BODY.format("FUNCTION `vcpus_of`")), "function nova.vcpus_of: is missing"),
    "a procedure missing": (without(_BODY.format("PROCEDURE `archive`")), "procedure nova.archive: is missing"),
    "a procedure changed": (
        without(r"^DELETE FROM faults( ;;)?$", r"DELETE FROM notes\1"),
        "procedure nova.archive: has another",
    ),
    "a package's body missing": (
        without(_BODY.format('PACKAGE BODY `?"?tools')),
        "package body nova.tools: is missing",
    ),
    "an event missing": (
        without(r"^/\*!50106 CREATE\*/[^\n]*EVENT `purge_faults`[^;]*;;"),
        "event nova.purge_faults: is missing",
    ),
    "a trigger missing": (
        without(r"^/\*!50003 CREATE\*/[^\n]*TRIGGER count_up[^;]*;;"),
        "trigger nova.count_up: is missing",
    ),
    "a sequence missing": (
        without(r"^CREATE SEQUENCE `ticket`.*?;\n.*?SETVAL\(`ticket`[^;]*;\n"),
        "sequence nova.ticket: is missing",
    ),
    "a sequence that goes back": (
        without(r"SETVAL\(`ticket`, \d+", "SETVAL(`ticket`, 100"),
        "sequence nova.ticket: goes on at 100, not at 101",
    ),
    "something that was not there": (
        without(_DUMP_END, "CREATE TABLE nova.extra (a INT);\n-- Dump completed"),
        "table nova.extra: is there, and was not backed up",
    ),
    "no grants": (lambda backup: replace(backup, grants=""), "account 'nova'@'%': is missing"),
    "an account missing": (grants(r"^.*ctl-0.example.com.*\n"), "account 'nova'@'ctl-0.example.com': is missing"),
    "a role missing": (grants(r"^.*`auditor`.*\n"), "role auditor: is missing"),
    "another password": (
        grants(r"PASSWORD '\*[0-9A-F]{40}'", "PASSWORD '*" + "0" * 40 + "'"),
        "account 'nova'@'%': logs in with something else",
    ),
    "an account no longer locked": (grants(" ACCOUNT LOCK"), "account 'locked'@'192.168.24.%': has other limits"),
    "a limit lost": (
        grants("MAX_USER_CONNECTIONS 20", "MAX_USER_CONNECTIONS 2"),
        "account 'nova'@'ctl-0.example.com': has other limits",
    ),
    "a privilege lost": (
        grants("GRANT PROCESS ON", "GRANT USAGE ON"),
        "account 'locked'@'192.168.24.%': has not on *.*: PROCESS",
    ),
    "a privilege gained": (grants("GRANT PROCESS ON", "GRANT PROCESS, SUPER ON"), "has on *.* what it had not"),
    "a column's privilege lost": (
        grants(r"SELECT \(`host`, `uuid`\)|SELECT \(`uuid`, `host`\)", "SELECT (`uuid`)"),
        "has not on `nova`.`instances`(`host`)",
    ),
    "a routine's privilege lost": (grants(r"^GRANT EXECUTE.*\n"), "has not on PROCEDURE `nova`.`archive`: EXECUTE"),
    "a grant option lost": (grants(r"(ON `nova`.*) WITH GRANT OPTION", r"\1"), "has not on `nova`.*: GRANT"),
    "a role's edge lost": (grants(r"^GRANT `reader` TO `auditor`.*\n"), "role auditor: has not the role reader"),
    "a role's admin option lost": (
        grants(r"(GRANT `reader` TO `auditor`) WITH ADMIN OPTION", r"\1"),
        "may not give on the role reader",
    ),
    "a default role lost": (grants(r"^SET DEFAULT ROLE.*\n"), "has the default role none, not reader"),
    "a dump of another site": (other_site, "schema heat: is missing"),
    "a number in the manifest changed by hand": (by_hand, "has one row more: 300, not 299"),
    "another MariaDB": (other_version, ", not 10.3.28-MariaDB; definitions"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_is_found_and_named(kind: str, backup: Backup, target: LocalServer) -> None:
    damage, said = DAMAGES[kind]
    reasons = drill(damage(backup), target)
    assert any(said in reason for reason in reasons), reasons
