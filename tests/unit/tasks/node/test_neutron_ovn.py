"""What neutron-ovn-db-sync-util logs, release by release: differences, agreement, its end, and each way in which it gives up.

The lines are made of the texts in its sources (see `tasks.node.neutron_ovn`) and of oslo.log's default format.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.command import command
from blocks.remote.shell import Result
from tasks.node.consistency import Seen, by_kind
from tasks.node.neutron_ovn import _LOGGED, failure, neutron_and_ovn, parse_sync
from tests.unit.fakes import LocalShell

ONE, TWO = "0c7c9e6e-8a9e-4b2c-9d9f-0a1b2c3d4e5f", "1d8d0f7f-9baf-4c3d-8eae-1b2c3d4e5f60"
TRAIN, WALLABY = "networking_ovn.ovn_db_sync", "neutron.plugins.ml2.drivers.ovn.mech_driver.ovsdb.ovn_db_sync"


def line(level: str, said: str, logger: str = WALLABY, request: str = "req-5f - - - - -") -> str:
    return f"2026-11-27 03:04:05.678 91 {level} {logger} [{request}] {said}\n"


def util(level: str, said: str, logger: str = "neutron_ovn_db_sync_util") -> str:
    return line(level, said, logger, "-")


OLD_END = util("INFO", "Sync completed for Northbound db") + util("INFO", "Sync completed for Southbound db")
NEW_END = util("INFO", "Neutron OVN DB sync completed")


def seen(log: str, code: int = 0, stderr: str = "") -> Seen:
    return parse_sync(Result(log, stderr, code))


@pytest.mark.parametrize("end", [OLD_END, NEW_END])
def test_a_log_without_warnings_says_that_they_agree(end: str) -> None:
    assert seen(end) == Seen()


@pytest.mark.parametrize(("logger", "request_"), [(TRAIN, "req-5f - - - - -"), (WALLABY, "None req-5f - - - - - -")])
def test_differences_are_the_warnings_of_the_comparison(logger: str, request_: str) -> None:
    said = [
        f"Port found in Neutron but not in OVN DB, port_id={ONE}",
        f"Port found in Neutron but not in OVN DB, port_id={TWO}",
        f"Router {ONE} static routes [{{'destination': '10.0.0.0/24'}}] found in OVN but not in Neutron",
        "ACLs-to-be-added 3 ACLs-to-be-removed 0",
    ]
    log = "".join(line("WARNING", each, logger, request_) for each in said)
    log += line("WARNING", "Option x is deprecated", "oslo_config.cfg") + OLD_END
    assert seen(log) == Seen(tuple(said))
    assert by_kind(said) == (
        "2 × Port found in Neutron but not in OVN DB, port_id=…; 1 × Router … static routes … found in OVN but not in Neutron; "
        "1 × ACLs-to-be-added 3 ACLs-to-be-removed 0"
    )


def test_what_later_releases_warn_of_though_it_agrees_is_no_difference() -> None:
    log = line("WARNING", "Host compute-0 found both in OVN SB DB and Neutron. Trigger updating its mapping")
    log += line("WARNING", "False-positive ACLs to remove: ([])")
    log += line("WARNING", "Number of Port Groups to add: 1, remove: 0") + NEW_END
    assert seen(log).differences == ("Number of Port Groups to add: 1, remove: 0",)


@pytest.mark.parametrize("said", ['No "ovn" mechanism driver found : "[]".', 'No "ovn" mechanism driver found: "[]".'])
@pytest.mark.parametrize("code", [0, 1])
def test_without_ovn_there_is_nothing_to_compare(said: str, code: int) -> None:
    assert seen(util("ERROR", said), code) == Seen(nothing="Neutron does not use OVN")


def test_a_container_without_the_tool_has_nothing_to_compare() -> None:
    said = "bash: line 5: neutron-ovn-db-sync-util: command not found\n"
    assert seen("", 127, said).nothing == "the container has no neutron-ovn-db-sync-util"


@pytest.mark.parametrize(
    ("log", "code", "stderr", "why"),
    [
        ("", 0, "", "it said nothing"),
        (util("INFO", "Sync completed for Northbound db"), 0, "", "Sync completed for Northbound db"),
        (
            util("ERROR", "Invalid --ovn-ovn_nb_connection parameter provided."),
            0,
            "",
            "Invalid --ovn-ovn_nb_connection",
        ),
        (util("CRITICAL", "Unhandled error: OperationalError"), 1, "Error: exit status 1\n", "Unhandled error"),
        (
            "",
            1,
            "Traceback (most recent call last):\nImportError: no neutron\nError: non zero exit code: 1: OCI\n",
            "ImportError",
        ),
        (OLD_END, 1, "", "Sync completed for Southbound db"),
    ],
)
def test_what_has_not_come_to_its_end_is_not_taken_for_agreement(log: str, code: int, stderr: str, why: str) -> None:
    answer = seen(log, code, stderr)
    assert why in answer.unknown
    assert "neutron-ovn-db-sync-util has not come to its end" in answer.unknown


def test_a_password_in_an_address_is_not_told() -> None:
    told = seen(util("CRITICAL", "Unhandled error: mysql+pymysql://neutron:s3cret@vip/ovs_neutron"), 1).unknown
    assert told.endswith("mysql+pymysql://****@vip/ovs_neutron")


def test_differences_before_it_was_cut_short_are_told_as_well() -> None:
    cut = seen(line("WARNING", f"Network found in OVN but not in Neutron, network_id=neutron-{ONE}"))
    assert cut.differences
    assert cut.unknown


def test_a_repair_is_judged_by_its_end() -> None:
    assert failure(Result(OLD_END, "", 0)) == ""
    assert failure(Result(util("INFO", "Started Neutron OVN db sync"), "", 0))


@pytest.mark.parametrize("code", [0, 3])
def test_the_log_is_printed_and_removed_and_the_exit_code_stays(tmp_path: Path, code: int) -> None:
    """The script as it is, with a program in the tool's place that writes to the log that it is told."""
    tool = tmp_path / "tool"
    tool.write_text(
        '#!/bin/bash\necho "$4" >"$0.log"\n'
        'printf "t 1 DEBUG x a\\nt 1 WARNING ovn_db_sync [-] b\\nt 1 INFO u [-] Sync completed for Southbound db\\n" >"$4"\n'
        f"exit {code}\n"
    )
    tool.chmod(0o755)
    answer = LocalShell().run(command("bash", "-c", _LOGGED, "bash", str(tool), "--mode", "log", ok=(code,)))
    assert parse_sync(answer).differences == ("b",)
    assert "DEBUG" not in answer.stdout
    assert not Path((tmp_path / "tool.log").read_text().strip()).exists()
    assert answer.exit_code == code


def test_both_modes_run_with_the_files_of_tripleo() -> None:
    for asked, mode in ((neutron_and_ovn().looks[0], "log"), (neutron_and_ovn().repair, "repair")):
        assert asked.words[:3] == ("podman", "exec", "neutron_api")
        assert asked.words[-2:] == ("--ovn-neutron_sync_mode", mode)
        assert "/etc/neutron/plugins/ml2/ml2_conf.ini" in asked.words
