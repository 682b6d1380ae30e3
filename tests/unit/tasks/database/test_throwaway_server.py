"""A server to throw away has no network, and goes whatever happens."""

from __future__ import annotations

import gzip
import hashlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import HostError
from blocks.remote.shell import Result
from blocks.remote.units import LongCommand
from tasks.database.sql_loading import Loaded, SqlFile, parse_loaded
from tasks.database.throwaway_server import ThrowawayServer, read_image
from tests.unit.fakes import FakeShell, LocalShell


def throwaway(directory: Path | str = "/var/tmp/drill") -> ThrowawayServer:
    return ThrowawayServer("sha256:0a1b", str(directory), "9f3c")


def test_it_has_no_network_and_a_directory_of_its_own() -> None:
    (run,) = [each for each in throwaway().start(60).commands if "run" in each.shown.split()]
    assert isinstance(run, Command)
    assert {"--network=none", "--rm", "--name=openstack-runbooks-drill-9f3c"} <= set(run.words)
    assert "--volume=/var/tmp/drill/data:/var/lib/mysql:Z" in run.words
    assert "sha256:0a1b" in run.words
    assert "--skip-networking" in run.line
    assert "--skip-test-db" in run.line, "a schema that was not backed up"


def test_it_is_there_once_it_answers() -> None:
    start = throwaway().start(60)
    assert start.already is None, "what an earlier drill has left holds its data"
    assert start.until is not None
    looks = FakeShell().on("mysqladmin", say=[Result("", "no such container", 125), 125, 1, ""])
    looks.on("drill.log", say=["", "2026-11-27 [ERROR] InnoDB: no space\n"])
    seen = [start.until.look(looks) for _ in range(4)]
    assert seen == ["not there", "not there: 2026-11-27 [ERROR] InnoDB: no space", "silent", "answering"]


def test_on_a_copy_it_has_no_network_no_cluster_and_a_root_without_a_password() -> None:
    (run,) = throwaway().start_on_copy(60).commands
    assert isinstance(run, Command)
    assert {"--network=none", "--rm", "--name=openstack-runbooks-drill-9f3c"} <= set(run.words)
    assert "--volume=/var/tmp/drill/data:/var/lib/mysql:Z" in run.words
    assert "--skip-networking" in run.line
    assert "--event-scheduler=OFF" in run.line, "an event of the site would change what is compared"
    assert "wsrep" not in run.line
    assert "--init-file=/var/lib/mysql/drill.sql" in run.line


def test_a_copy_is_prepared_where_the_server_looks_for_its_data_and_the_cleanup_for_its_container() -> None:
    server = throwaway()
    made = server.preparation
    assert (made.directory, made.container) == ("/var/tmp/drill/data", server.container)
    assert made.directory.startswith(server.remove_words[-1])
    assert server.make_room().commands[0].shown.endswith("openstack-runbooks-drill-9f3c /var/tmp/drill")


@pytest.mark.parametrize(
    ("ping", "log", "settled", "said"),
    [
        (0, "", True, ""),
        (1, "", False, None),
        (125, "[ERROR] Fatal error: Can't open and lock privilege tables\n", True, "[ERROR] Fatal error: Can't open"),
        (125, "[ERROR] InnoDB: Cannot allocate memory for the buffer pool\n", True, None),
        (125, "", True, None),
    ],
)
def test_a_server_that_ends_on_a_copy_says_why(ping: int, log: str, settled: bool, said: str | None) -> None:
    shell = FakeShell().on("mysqladmin", say=ping).on("drill.log", say=log)
    wait = throwaway().start_on_copy(60).until
    assert wait is not None
    assert (wait.look(shell) == wait.wanted) is settled
    if said is None:
        with pytest.raises(HostError, match="the server to throw away has gone"):
            throwaway().why_not_started(shell)
    else:
        assert throwaway().why_not_started(shell).startswith(said)


def test_the_last_word_of_a_server_that_ends_is_not_why(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/drill.log").write_text("[Note] a\n[ERROR] the reason\n[ERROR] Aborting\n")
    (tmp_path / "podman").write_text("#!/bin/bash\nexit 125\n")
    (tmp_path / "podman").chmod(0o755)
    assert throwaway(tmp_path).why_not_started(LocalShell(tmp_path)) == "[ERROR] the reason"


def test_it_is_spoken_to_without_a_password() -> None:
    words = throwaway().server.client()
    assert "--defaults-extra-file=/dev/null" in words
    assert "openstack-runbooks-drill-9f3c" in words


DUMP = b"CREATE TABLE t (a INT);\nINSERT INTO t VALUES (1);\n-- Dump completed on 2026-11-27  1:30:00\n"
# Takes what it is given, and says what a client says; reads no further after an error, as the client does.
CLIENT = """#!/bin/bash
[ -z "$DIES" ] || { head -c 1 >/dev/null; echo "$DIES" >&2; exit "$CODE"; }
cat >"$TAKEN"
"""


@dataclass(frozen=True)
class Host:
    """A host whose container takes whatever comes.

    Attributes:
        folder: For all of it.
    """

    folder: Path

    def load(self, data: bytes, *unpack: str, what: str = "dump", dies: str = "", code: int = 1) -> Loaded:
        (self.folder / "podman").write_text(CLIENT)
        (self.folder / "podman").chmod(0o755)
        source = self.folder / "source"
        source.write_bytes(data)
        file = SqlFile(str(source), unpack or ("cat",), what)
        server = throwaway(self.folder)
        path = f"{self.folder}:{os.environ['PATH']}"
        more = {"PATH": path, "TAKEN": str(self.folder / "taken"), "DIES": dies, "CODE": str(code)}
        done = subprocess.run(server.load(file, 60).words, env={**os.environ, **more}, capture_output=True)
        assert done.returncode == 0, done.stderr
        return server.read_loaded(LocalShell(), file)

    @property
    def taken(self) -> bytes:
        """What the client got."""
        return (self.folder / "taken").read_bytes()


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_what_is_loaded_reaches_the_client_unpacked_and_its_checksum_is_of_the_file(host: Host) -> None:
    packed = gzip.compress(DUMP)
    loaded = host.load(packed, "gzip", "-dc")
    assert host.taken == DUMP
    assert (loaded.sha256, loaded.problems) == (sha256(packed), ())
    assert 0 < loaded.seconds < 20
    assert sorted(path.name for path in host.folder.iterdir()) == ["loaded-dump", "podman", "source", "taken"]


def test_the_first_error_ends_the_client_and_all_of_the_file_is_read(host: Host) -> None:
    """The checksum, and whether it can be unpacked to its end, is known all the same."""
    data = b"x" * 70 + b"\n"
    whole = data * 100_000 + DUMP
    packed = gzip.compress(whole)
    loaded = host.load(packed, "gzip", "-dc", dies="ERROR 1064 (42000) at line 7: near 'IDENTIFIED BY secret'")
    assert (loaded.sha256, loaded.problems) == (
        sha256(packed),
        ("the dump can't be loaded: ERROR 1064 (42000) at line 7",),
    )


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: ASCII '\\0' appeared in the statement, but this is not allowed", "ERROR"),
        ("ERROR at line 3: Unknown command '\\X'.", "ERROR at line 3"),
    ],
)
def test_what_the_client_itself_refuses_is_the_files_fault(host: Host, said: str, told: str) -> None:
    assert host.load(DUMP, dies=said).problems == (f"the dump can't be loaded: {told}",)


def test_nothing_of_the_clients_words_is_left_but_the_number(host: Host) -> None:
    host.load(DUMP, dies="ERROR 1064 (42000) at line 7: near 'IDENTIFIED BY secret'")
    assert b"secret" not in b"".join(path.read_bytes() for path in host.folder.glob("loaded*"))


def test_a_dump_without_its_last_line_and_a_broken_stream_are_told(host: Host) -> None:
    cut = ("the dump is cut short: its last line is not '-- Dump completed'",)
    assert host.load(DUMP[:40]).problems == cut
    assert host.load(b"").problems == cut
    assert host.load(DUMP + b"x" * 1_000_000).problems == cut
    assert host.load(gzip.compress(DUMP)[:-12], "gzip", "-dc").problems[0] == "the dump can't be unpacked"


def test_grants_have_no_last_line(host: Host) -> None:
    assert host.load(b"GRANT USAGE ON *.* TO a@b;\n", what="grants").problems == ()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("ERROR 1114 (HY000) at line 3: The table 't' is full", 1),
        ("ERROR 2013 (HY000) at line 3: Lost connection to MySQL server during query", 1),
        ("", 137),
        ("Error: no container with that name", 125),
        ("nothing that is known", 1),
    ],
)
def test_what_is_not_the_dumps_fault_is_no_finding_but_an_error(host: Host, said: str, code: int) -> None:
    with pytest.raises(HostError, match="the server to throw away did not take the dump"):
        host.load(DUMP, dies=said or " ", code=code)


def test_a_load_that_has_left_no_word_is_an_error() -> None:
    with pytest.raises(HostError, match="no word of how it ended"):
        parse_loaded("here", SqlFile("/d", ("cat",), "dump"), "")
    with pytest.raises(HostError, match="could not be read to its end"):
        parse_loaded("here", SqlFile("/d", ("cat",), "dump"), "codes\t1 0 0 0\n")


def test_progress_is_how_far_the_file_was_read(tmp_path: Path) -> None:
    (tmp_path / "podman").write_text("#!/bin/bash\nhead -c 10 >/dev/null\ntouch $WAITS\nsleep 30\n")
    (tmp_path / "podman").chmod(0o755)
    source, waits = tmp_path / "source", tmp_path / "waits"
    source.write_bytes(bytes(4_000_000))
    long = throwaway(tmp_path).load(SqlFile(str(source), ("cat",), "dump"), 60)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "WAITS": str(waits)}
    with subprocess.Popen(long.words, env=environment, start_new_session=True) as process:
        try:
            while not waits.exists():
                assert process.poll() is None
            assert long.progress_query is not None
            done, there = LocalShell().run(long.progress_query).text.split()
            assert 0 < int(done) < int(there) == 4_000_000
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_progress_of_the_comparison_is_how_many_tables_were_read(tmp_path: Path) -> None:
    (_, long) = throwaway(tmp_path).read(60, tables=3).commands
    assert isinstance(long, LongCommand)
    assert long.progress_query is not None
    (tmp_path / "contents").write_text("version\t10.3\nrows\tnova\ta\t1\t7\nrows\tnova\tb\t1\t7\n")
    assert LocalShell().run(long.progress_query).text == "2 3"


@pytest.mark.parametrize(("there", "removable", "code"), [(True, True, 0), (False, True, 0), (True, False, 1)])
def test_it_is_removed_with_its_directory(there: bool, removable: bool, code: int, tmp_path: Path) -> None:
    mark, data = tmp_path / "container", tmp_path / "data"
    data.mkdir()
    if there:
        mark.touch()
    rm = f"rm {mark}" if removable else "exit 1"
    (tmp_path / "podman").write_text(f"#!/bin/bash\ncase $1 in rm) {rm} ;; inspect) [ -e {mark} ] ;; esac\n")
    (tmp_path / "podman").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(throwaway(data).remove_words, env=environment, capture_output=True, text=True)
    assert (done.returncode, data.exists()) == (code, code != 0)
    if code:
        assert "container openstack-runbooks-drill-9f3c could not be removed" in done.stderr


def test_the_image_is_the_containers_own() -> None:
    shell = FakeShell().on("inspect", "{{.Image}}", say="sha256:0a1b\n")
    assert read_image(shell, "galera-bundle-podman-0") == "sha256:0a1b"
