"""Preflight refuses with every reason at once, and looks only: each refusal has a test that makes it refuse."""

from __future__ import annotations

import re

import pytest

from blocks.remote import secrets
from blocks.remote.command import question
from blocks.remote.errors import CommandTimedOut, HostKeyRejected, LoginRejected, Unreachable
from tasks.database.dump_parts import Part, Parts
from tasks.engine.checks import Check
from tests.unit.fakes import FakeShell
from tests.unit.tasks.control_plane import (
    DUMP,
    DUMP_TEXT,
    GIB,
    GRANTS,
    GRANTS_TEXT,
    NODES,
    PASSWORD,
    VERSIONS,
    VIP,
    control_plane,
    directory,
    give_file,
)
from tests.unit.tasks.crm import Replica, pacemaker_2_1
from tests.unit.tasks.looking import Break, answer, changed_nothing, look, refusal
from tests.unit.tasks.samples import KEPT

pytestmark = pytest.mark.usefixtures("no_engine")
SAVE = "/var/lib/mysql-save"


@pytest.mark.parametrize(
    "line",
    [
        *("iptables -w -I INPUT -j DROP", "pcs resource unmanage x", "podman container stop --time 0 x", "mv -T a b"),
        *('bash -c install -d -m 700 x; cat > "$1"', "systemd-run --unit=x", "mkdir -p x", "a; rm -rf x"),
    ],
)
def test_a_changing_command_would_be_seen(line: str) -> None:
    shell = FakeShell(otherwise="")
    shell.run(question(*line.split(" ")))
    with pytest.raises(AssertionError):
        changed_nothing([shell])


def test_a_healthy_control_plane_is_taken_as_it_is() -> None:
    run, shells = control_plane()
    facts, resume = look(run)
    changed_nothing(shells)
    assert (facts.vip, facts.password, facts.cluster_address) == (VIP, PASSWORD, NODES)
    assert str(facts.version) == "10.3"
    assert facts.pid_file == "/var/run/mysql/mysqld.pid"
    assert {name: server.container for name, server in facts.servers.items()} == {
        f"controller-{number}": f"galera-bundle-podman-{number}" for number in range(3)
    }
    assert resume.kept == KEPT
    assert facts.labelled == {"controller-0", "controller-1", "controller-2"}
    assert (resume.settled, resume.rebuild) == ((), False)


def two_databases() -> str:
    """A dump of two, as long as their names."""
    parts = (
        f"-- Current Database: `{name}`\n--\n\nCREATE DATABASE `{name}`;\nUSE `{name}`;\nCREATE TABLE `t` (\n--\n"
        for name in ("nova", "heat")
    )
    return "".join(
        ("-- MariaDB dump 10.17\n-- Server version\t10.3.28-MariaDB\n--\n", *parts, "-- Dump completed on x\n")
    )


def test_the_databases_of_the_dump_are_told_apart() -> None:
    run, shells = control_plane()
    text = two_databases()
    give_file(shells[0], DUMP, text)
    facts, _ = look(run)
    nova, heat = text.index("-- Current Database: `nova`"), text.index("-- Current Database: `heat`")
    assert facts.parts == Parts(nova, (Part(nova, heat - nova), Part(heat, len(text) - heat)))
    changed_nothing(shells)


def test_a_dump_that_can_not_be_read_whole_is_refused() -> None:
    run, shells = control_plane()
    shells[0].on("first_insert", DUMP, say=2)
    assert any(f"dump {DUMP} cannot be read to its end" in reason for reason in refusal(run, shells))


def test_a_dump_for_which_there_is_no_room_is_not_read() -> None:
    run, shells = control_plane()
    give_file(shells[0], DUMP, two_databases(), size=9 * 1024**4)
    assert any("free beside the data directory" in reason for reason in refusal(run, shells))
    assert not any("first_insert" in word for command in shells[0].ran for word in command.words)


def test_a_single_controller_is_a_control_plane_too() -> None:
    facts, _ = look(control_plane(1)[0])
    assert list(facts.servers) == ["controller-0"]


def test_the_password_is_a_secret_from_the_moment_it_is_known() -> None:
    run, _ = control_plane()
    facts, _ = look(run)
    assert secrets.mask(f"it is {PASSWORD}, or {PASSWORD.encode().hex()}") == f"it is {secrets.MASK}, or {secrets.MASK}"
    assert PASSWORD not in repr(facts)


def broken_file(path: str, text: str | None) -> Break:
    return lambda shells: give_file(shells[0], path, text)


ANYTHING = ("",)
REFUSALS: dict[str, tuple[Break, str]] = {
    "a controller is down": (
        answer(1, *ANYTHING, say=Unreachable("controller-1", "no SSH session", "bring it back")),
        "controller-1: no SSH session; bring it back",
    ),
    "the first controller is down": (
        answer(0, *ANYTHING, say=Unreachable("controller-0", "no SSH session")),
        "controller-0: no SSH session",
    ),
    "a host key has changed": (
        answer(2, *ANYTHING, say=HostKeyRejected("controller-2", "the host key is not the pinned one")),
        "controller-2: the host key is not the pinned one",
    ),
    "a login is refused": (answer(2, *ANYTHING, say=LoginRejected("controller-2", "refused")), "controller-2: refused"),
    "a host hangs": (
        answer(1, "mountpoint", say=CommandTimedOut("controller-1", "`du` did not end")),
        "controller-1: `du` did not end",
    ),
    "the dump is missing": (broken_file(DUMP, None), f"dump {DUMP} does not exist"),
    "the dump is empty": (broken_file(DUMP, ""), f"dump {DUMP} is empty"),
    "the dump is cut short": (broken_file(DUMP, DUMP_TEXT[:-60]), f"dump {DUMP} is cut short"),
    "the dump is of a newer server": (
        broken_file(DUMP, DUMP_TEXT.replace("10.3.28", "10.11.6")),
        "comes from MariaDB 10.11, newer than this server's 10.3",
    ),
    "the dump is of MySQL": (broken_file(DUMP, DUMP_TEXT.replace("10.3.28-MariaDB", "8.0.30")), "does not say which"),
    "the dump is compressed": (
        lambda shells: shells[0].on("base64 -w0", DUMP, say="90 1763726400\nH4sIAAAAAAAC\nAAAAAAA=\n"),
        f"dump {DUMP} is compressed; unpack it with `gunzip`",
    ),
    "the dump lies in the data directory": (
        answer(0, "-samefile", DUMP, say="/var/lib/mysql\n"),
        f"dump {DUMP}: its place is in /var/lib/mysql",
    ),
    "the grants lie in the data directory": (
        answer(0, "-samefile", GRANTS, say="/var/lib/mysql\n"),
        f"grants {GRANTS}: its place is in /var/lib/mysql",
    ),
    "the dump begins with a warning": (
        broken_file(DUMP, f"mysqldump: [Warning] Using a password\n{DUMP_TEXT}"),
        "line 1 is no comment and no SQL",
    ),
    "one of several dumps in a file is cut short": (
        broken_file(DUMP, DUMP_TEXT[:-60] + DUMP_TEXT),
        "which is 2 dumps in one file: that of nova at byte 0 is cut short",
    ),
    "the dump names no database": (
        broken_file(DUMP, DUMP_TEXT.replace("CREATE DATABASE `nova`;\nUSE `nova`;\n", "")),
        "names no database",
    ),
    "the grants have a heading": (broken_file(GRANTS, f"Grants for nova@%;\n{GRANTS_TEXT}"), "line 1 is no statement"),
    "the grants are missing": (broken_file(GRANTS, None), f"grants {GRANTS} do not exist"),
    "the grants are empty": (broken_file(GRANTS, ""), f"grants {GRANTS} are empty"),
    "the grants are cut short": (broken_file(GRANTS, GRANTS_TEXT[:-9]), f"grants {GRANTS} are cut short"),
    "the address is nil": (answer(0, "hiera", "mysql_vip", say="nil\n"), "hiera answers nil for mysql_vip"),
    "the address is empty": (answer(0, "hiera", "mysql_vip", say="\n"), "hiera answers nothing for mysql_vip"),
    "the password is nil": (
        answer(0, "hiera", "root_password", say="nil\n"),
        "hiera answers nil for mysql::server::root_password",
    ),
    "the password is empty": (answer(0, "hiera", "root_password", say=""), "hiera answers nothing for mysql::server"),
    "hiera fails": (answer(0, "hiera", "mysql_vip", say=1), "controller-0: exit code 1 from `sudo hiera"),
    "there is too little space": (answer(1, "mountpoint", say=directory(free=GIB // 4)), "controller-1: 256 MiB free"),
    "an unknown directory keeps data": (
        answer(2, "mountpoint", say=directory(saves=(SAVE,))),
        f"controller-2: {SAVE} keeps data of an earlier restore that left no journal",
    ),
    "pacemaker has no such resource": (
        answer(0, "crm_mon --as-xml", say=pacemaker_2_1([Replica()] * 3, name="mysql-bundle")),
        "Pacemaker has no bundle 'galera-bundle'; its bundles are haproxy-bundle, mysql-bundle",
    ),
    "pacemaker is down": (answer(0, "crm_mon --as-xml", say=102), "Pacemaker does not answer"),
    "a database container is missing": (
        answer(1, "container ls", say="clustercheck\n"),
        "controller-1: no container has 'galera-bundle' in the name",
    ),
    "there are two database containers": (
        answer(1, "container ls", say="clustercheck\ngalera-bundle-podman-1\nold-galera-bundle-podman-1\n"),
        "controller-1: several containers have 'galera-bundle'",
    ),
    "a clustercheck container is missing": (
        answer(2, "container ls", say="galera-bundle-podman-2\n"),
        "controller-2: no container has 'clustercheck' in the name",
    ),
    "the data directory is a mount point": (
        answer(1, "mountpoint", say=directory(mount=True)),
        "controller-1: /var/lib/mysql is a mount point",
    ),
    "podman is older than what it is asked for": (
        answer(2, "systemctl --version", say=VERSIONS.replace("version 1.6.4", "version 1.4.2")),
        "controller-2: podman 1.4.2 is older than 1.6.4",
    ),
    "the servers are older than any that was tried": (
        answer(1, "systemctl --version", say=VERSIONS.replace("10.3.28", "10.1.48")),
        "controller-1: MariaDB 10.1.48 is older than 10.3",
    ),
    "the server says no version": (answer(0, "--version", say="Ver 8.0.30\n"), "does not say its version"),
    "the cluster address is missing": (
        answer(0, "podman exec", "cat", "galera.cnf", say="[mysqld]\n"),
        "names no cluster address",
    ),
    "a journal can't be read": (answer(0, "*.json", say="current.json\t{\n"), "controller-0: the journal /"),
    "the grants hold something else": (broken_file(GRANTS, f"ERROR 1045\n{GRANTS_TEXT}"), "line 1 is no statement"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses_when(case: str) -> None:
    run, shells = control_plane()
    spoil, said = REFUSALS[case]
    spoil(shells)
    assert said in "\n".join(refusal(run, shells))


@pytest.mark.parametrize("case", REFUSALS)
def test_one_thing_that_is_wrong_is_one_reason(case: str) -> None:
    run, shells = control_plane()
    REFUSALS[case][0](shells)
    assert len(refusal(run, shells)) == 1


def test_a_version_that_nobody_has_tried_is_told_and_no_reason() -> None:
    run, shells = control_plane()
    shells[1].on("systemctl --version", say=VERSIONS.replace("systemd 239", "systemd 299"))
    look(run)
    look(run)  # as after the approval
    (fact,) = run.facts
    assert fact.startswith("controller-1: version of systemd: 299 (newer than 257")


def test_all_reasons_are_told_together() -> None:
    run, shells = control_plane()
    cases = (
        "a host key has changed",
        "the dump is cut short",
        "the grants are empty",
        "the address is nil",
        "the password is nil",
        "pacemaker has no such resource",
        "there is too little space",
        "the cluster address is missing",
    )
    for case in cases:
        REFUSALS[case][0](shells)
    told = refusal(run, shells)
    assert len(told) == len(cases)
    for case in cases:
        assert any(REFUSALS[case][1] in reason for reason in told), case


def test_a_reason_that_the_run_has_already_is_told_with_the_others() -> None:
    run, shells = control_plane()
    run.checks.append(Check("lock", "", "", "another runbook is at work"))
    REFUSALS["the dump is empty"][0](shells)
    told = refusal(run, shells)
    assert told[0] == "another runbook is at work"
    assert len(told) == 2


def test_a_lock_that_is_taken_refuses_alone() -> None:
    run, shells = control_plane()
    run.checks.append(Check("lock", "", "", "another runbook is at work"))
    assert refusal(run, shells) == ("another runbook is at work",)


def test_all_controllers_that_are_down_are_told() -> None:
    run, shells = control_plane()
    for shell in shells:
        shell.on("", say=Unreachable(shell.name, "no SSH session"))
    assert [reason.split(":")[0] for reason in refusal(run, shells)] == [
        "controller-0",
        "controller-1",
        "controller-2",
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        answer(0, "container ls", say="clustercheck\n"),
        answer(0, "container ls", say="galera-bundle-podman-0\n"),
        answer(0, "mountpoint", say=directory(mount=True)),
    ],
    ids=["no container", "no clustercheck", "mount point"],
)
def test_all_reasons_are_told_where_the_first_controller_is_wrong(spoil: Break) -> None:
    run, shells = control_plane()
    spoil(shells)
    REFUSALS["the dump is empty"][0](shells)
    REFUSALS["the password is nil"][0](shells)
    told = "\n".join(refusal(run, shells))
    assert "controller-0: " in told
    assert f"dump {DUMP} is empty" in told
    assert "hiera answers nil" in told


def test_everything_that_is_wrong_with_a_host_is_told() -> None:
    run, shells = control_plane()
    REFUSALS["a database container is missing"][0](shells)
    REFUSALS["the data directory is a mount point"][0](shells)
    assert len(refusal(run, shells)) == 2


@pytest.mark.parametrize(("free", "enough"), [(5 * GIB // 10, False), (GIB, False), (3 * GIB, True), (100 * GIB, True)])
def test_a_second_database_must_fit_beside_the_first(free: int, enough: bool) -> None:
    run, shells = control_plane()
    give_file(shells[0], DUMP, DUMP_TEXT, size=GIB // 2)
    shells[1].on("mountpoint", say=directory(free=free))
    if enough:
        look(run)
    else:
        assert len(refusal(run, shells)) == 1


def test_the_first_controller_needs_room_for_the_copy_of_the_dump_as_well() -> None:
    run, shells = control_plane()
    give_file(shells[0], DUMP, DUMP_TEXT, size=GIB)
    for shell in shells:
        shell.on("mountpoint", say=directory(free=13 * GIB // 4))
    assert [reason.split(":")[0] for reason in refusal(run, shells)] == ["controller-0"]


def test_what_was_seen_is_kept_with_what_was_looked_at() -> None:
    run, _ = control_plane()
    look(run)
    assert all(check.ok for check in run.checks)
    seen = {check.name: str(check) for check in run.checks}
    assert seen["Pacemaker"] == "Pacemaker: 3 of 3 nodes online, with a coordinator and quorum"
    assert re.fullmatch(
        r"controller-0: contents of the dump: \d+ schemas, \d+ tables, [\d.]+ MiB, from MariaDB 10\.3",
        seen["contents of the dump"],
    )
    assert {"virtual IP", "grants", "space", "data directory", "version of podman"} <= set(seen)
    assert run.site.database.password_key not in "".join(seen.values())
