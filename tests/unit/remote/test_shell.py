"""The shell trusts pinned keys alone, judges how a command ended, and shows no secret. Nothing is connected here."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import fabric
import paramiko
import pytest
from invoke.exceptions import CommandTimedOut as InvokeTimedOut

import blocks.remote.hops
from blocks.remote.command import command, question
from blocks.remote.errors import (
    CommandFailed,
    CommandTimedOut,
    ConnectionLost,
    HostKeyRejected,
    LockLost,
    LoginRejected,
    Stopped,
    Unreachable,
)
from blocks.remote.guard import guarded
from blocks.remote.known_hosts import HostKeyRefused
from blocks.remote.shell import Access, Shell

ADDRESS = "192.0.2.7"
KEY = "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes(range(32))).decode()
PINNED = paramiko.Ed25519Key(data=base64.b64decode(KEY.split()[1]))
OTHER = paramiko.Ed25519Key(data=base64.b64decode(KEY.split()[1])[:-1] + b"x")


@pytest.fixture
def access(tmp_path: Path) -> Access:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"{ADDRESS} {KEY}\n[jump.example.com]:2222 {KEY}\n")
    return Access("heat-admin", tmp_path / "key", known_hosts)


# -- which keys are trusted


def fail_to_open(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[fabric.Connection]:
    """Let every connection fail with this error before it is made; those that were tried are in the list."""
    tried: list[fabric.Connection] = []

    def stop(connection: fabric.Connection) -> None:
        tried.append(connection)
        raise error

    monkeypatch.setattr(fabric.Connection, "open", stop)
    return tried


def connection_of(monkeypatch: pytest.MonkeyPatch, access: Access) -> fabric.Connection:
    """Return the connection that a shell was about to open first: the jump host's, where there is one."""
    tried = fail_to_open(monkeypatch, OSError("no connection in a unit test"))
    with pytest.raises(Unreachable):
        Shell("controller-1", ADDRESS, access).run(command("true"))
    return tried[0]


def through_a_jump_host(access: Access) -> Access:
    return Access(access.user, access.key, access.known_hosts, jump_host="stack@jump.example.com:2222")


def fail_behind(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[fabric.Connection]:
    """Let the jump host's connection open, and the one through it fail; those that were tried are in the list."""
    tried: list[fabric.Connection] = []

    def open_or_stop(connection: fabric.Connection) -> None:
        tried.append(connection)
        if connection.gateway is not None:
            raise error

    monkeypatch.setattr(fabric.Connection, "open", open_or_stop)
    return tried


def asked_for_keys(connection: fabric.Connection, key: paramiko.PKey) -> None:
    """Let a connection's host show a key; raises what it is refused with."""
    client = connection.client
    assert len(client.get_host_keys()) == len(client._system_host_keys) == 0, "paramiko would not ask the policy"
    client._policy.missing_host_key(client, connection.host, key)


def test_an_unknown_host_key_is_refused(monkeypatch: pytest.MonkeyPatch, access: Access) -> None:
    connection = connection_of(monkeypatch, access)
    asked_for_keys(connection, PINNED)
    with pytest.raises(HostKeyRefused, match=f"the host key of {ADDRESS} is not the pinned one"):
        asked_for_keys(connection, OTHER)
    access.known_hosts.write_text("")
    with pytest.raises(HostKeyRefused, match=f"{ADDRESS} has no host key in"):
        asked_for_keys(connection, PINNED)


def test_the_jump_host_is_held_to_the_same(monkeypatch: pytest.MonkeyPatch, access: Access) -> None:
    gateway = connection_of(monkeypatch, through_a_jump_host(access))
    assert (gateway.user, gateway.host, gateway.port) == ("stack", "jump.example.com", 2222)
    asked_for_keys(gateway, PINNED)
    with pytest.raises(HostKeyRefused, match=r"the host key of jump\.example\.com is not the pinned one"):
        asked_for_keys(gateway, OTHER)


def test_only_the_sites_key_is_offered(monkeypatch: pytest.MonkeyPatch, access: Access) -> None:
    connection = connection_of(monkeypatch, access)
    assert connection.user == "heat-admin"
    arguments = connection.connect_kwargs
    assert (arguments["allow_agent"], arguments["look_for_keys"]) == (False, False)
    assert arguments["key_filename"] in (str(access.key), [str(access.key)])


def test_a_host_that_has_vanished_is_not_waited_for_by_the_hour(
    monkeypatch: pytest.MonkeyPatch, access: Access
) -> None:
    arguments = connection_of(monkeypatch, access).connect_kwargs
    assert 0 < arguments["channel_timeout"] <= 60


def test_the_operators_own_ssh_configuration_is_not_read(
    monkeypatch: pytest.MonkeyPatch, access: Access, tmp_path: Path
) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User intruder\n  ProxyJump elsewhere\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    connection = connection_of(monkeypatch, access)
    assert (connection.user, connection.gateway) == ("heat-admin", None)


def test_the_jump_host_has_the_same_time_limit(monkeypatch: pytest.MonkeyPatch, access: Access) -> None:
    assert connection_of(monkeypatch, through_a_jump_host(access)).connect_timeout == access.connect_timeout_s


def test_the_host_is_reached_through_the_jump_host(monkeypatch: pytest.MonkeyPatch, access: Access) -> None:
    tried = fail_behind(monkeypatch, OSError("no connection in a unit test"))
    with pytest.raises(Unreachable, match=r"^controller-1: "):
        Shell("controller-1", ADDRESS, through_a_jump_host(access)).run(command("true"))
    assert [(one.host, one.gateway) for one in tried] == [("jump.example.com", None), (ADDRESS, tried[0])]


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (
            HostKeyRefused("[jump.example.com]:2222 has no host key in x", "add it"),
            HostKeyRejected,
            "no host key",
        ),
        (paramiko.AuthenticationException("no"), LoginRejected, "stack with key"),
        (TimeoutError("timed out"), Unreachable, "jump.example.com:2222 within 10 s"),
    ],
)
def test_what_is_wrong_with_the_jump_host_is_told_of_the_jump_host(
    monkeypatch: pytest.MonkeyPatch, access: Access, error: Exception, raised: type[Exception], said: str
) -> None:
    fail_to_open(monkeypatch, error)
    with pytest.raises(raised, match=said) as told:
        Shell("controller-1", ADDRESS, through_a_jump_host(access)).run(command("true"))
    assert str(told.value).startswith("jump host stack@jump.example.com:2222: ")
    assert ADDRESS not in str(told.value)


def test_a_jump_host_is_let_go_of_where_the_host_behind_it_fails(
    monkeypatch: pytest.MonkeyPatch, access: Access
) -> None:
    closed: list[str] = []
    monkeypatch.setattr(fabric.Connection, "close", lambda connection: closed.append(connection.host))
    fail_behind(monkeypatch, OSError("no route"))
    with pytest.raises(Unreachable):
        Shell("controller-1", ADDRESS, through_a_jump_host(access)).run(command("true"))
    assert closed == ["jump.example.com"]


@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (HostKeyRefused("the host key is not the pinned one", "verify it"), HostKeyRejected, "not the pinned one"),
        (paramiko.AuthenticationException("no"), LoginRejected, "heat-admin"),
        (TimeoutError("timed out"), Unreachable, "within 10 s"),
        (ConnectionRefusedError(111, "refused"), Unreachable, "refused"),
        (EOFError(), Unreachable, "no SSH session"),
        (paramiko.SSHException("Error reading SSH protocol banner"), Unreachable, "banner"),
    ],
)
def test_why_there_is_no_connection_is_told(
    monkeypatch: pytest.MonkeyPatch, access: Access, error: Exception, raised: type[Exception], said: str
) -> None:
    fail_to_open(monkeypatch, error)
    with pytest.raises(raised, match=said) as told:
        Shell("controller-1", ADDRESS, access).run(command("true"))
    assert str(told.value).startswith("controller-1: ")
    assert "HINT" in str(told.value)


# -- what a command's end means


class Ends:
    """How a command ends on a faked connection."""

    def __init__(self, exit_code: int = 0, stdout: str = "", stderr: str = "", error: Exception | None = None) -> None:
        self.exit_code, self.stdout, self.stderr, self.error = exit_code, stdout, stderr, error


class Faked:
    """Stands in for Fabric's Connection.

    Attributes:
        ends: How each command ends, one after the other; the last one stays.
        opened: How often it was opened.
        lines: The lines that the host's shell got.
        sent: What went into standard input.
        inputs_closed: How many inputs were ended.
        meanwhile: Called while a command runs.
        refuses_input: Whether commands end before they have read it.
    """

    def __init__(self, *ends: Ends) -> None:
        self.ends = list(ends) or [Ends()]
        self.opened = self.inputs_closed = 0
        self.lines: list[str] = []
        self.sent = b""
        self.meanwhile: Callable[[], None] = lambda: None
        self.refuses_input = False
        self.is_connected = False
        self.client = SimpleNamespace(set_missing_host_key_policy=lambda policy: None)
        self.host, self.port, self.user, self.gateway = ADDRESS, 22, "heat-admin", None
        self.connect_kwargs: dict[str, object] = {}
        self.sock = socket.socket()
        self.transport = SimpleNamespace(set_keepalive=lambda seconds: None, close=lambda: None, sock=self.sock)

    def __call__(self, *_: object, **__: object) -> Faked:
        return self

    def open(self) -> None:
        self.opened += 1
        self.is_connected = True

    def close(self) -> None:
        self.is_connected = False

    def run(self, line: str, **options: Any) -> object:
        self.lines.append(line)
        end = self.ends.pop(0) if len(self.ends) > 1 else self.ends[0]

        def sendall(data: bytes) -> None:
            if self.refuses_input:
                raise OSError("Socket is closed")
            self.sent += data

        def shutdown_write() -> None:
            self.inputs_closed += 1

        def join() -> object:
            for text in (end.stdout[:5], end.stdout[5:]):
                options["out_stream"].write(text)
            options["err_stream"].write(end.stderr)
            self.meanwhile()
            if end.error is not None:
                raise end.error
            return SimpleNamespace(exited=end.exit_code, stdout=end.stdout, stderr=end.stderr)

        channel = SimpleNamespace(sendall=sendall, shutdown_write=shutdown_write)
        return SimpleNamespace(runner=SimpleNamespace(channel=channel), join=join)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faked]:
    connection = Faked()
    monkeypatch.setattr(blocks.remote.hops, "Connection", connection)
    with connection.sock:
        yield connection


@pytest.fixture
def shell(faked: Faked, access: Access) -> Shell:
    return Shell("controller-1", ADDRESS, access)


def test_a_command_that_ends_before_it_has_read_its_input_has_not_lost_its_host(faked: Faked, access: Access) -> None:
    faked.refuses_input = True
    faked.ends = [Ends(exit_code=1, stderr="can't connect")]
    shell = Shell("controller-1", "192.0.2.11", access)
    with pytest.raises(CommandFailed, match="can't connect"):
        shell.run(command("mysql", stdin="SELECT 1"))
    assert shell.run(command("mysql", stdin="SELECT 1", ok=(1,))).exit_code == 1
    assert faked.opened == 1


def test_what_is_sent_does_not_wait_for_more(faked: Faked, access: Access) -> None:
    Shell("controller-1", "192.0.2.11", access).run(command("true"))
    assert faked.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_nothing_is_connected_before_the_first_command(faked: Faked, access: Access) -> None:
    Shell("controller-1", ADDRESS, access).close()
    assert faked.opened == 0


def test_the_output_and_the_code_come_back(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(3, "out\n", "err\n")]
    result = shell.run(command("x", ok=(0, 3)))
    assert (result.exit_code, result.stdout, result.stderr, result.text) == (3, "out\n", "err\n", "out")


def test_one_connection_serves_many_commands(faked: Faked, shell: Shell) -> None:
    shell.run(command("a"))
    shell.run(command("b"))
    assert faked.opened == 1


def test_standard_input_goes_to_the_command_and_ends(faked: Faked, shell: Shell) -> None:
    shell.run(command("mysql", stdin="SELECT 'é';"))
    assert faked.sent == "SELECT 'é';".encode()
    assert faked.inputs_closed == 1
    assert "SELECT" not in faked.lines[0]


def test_a_command_without_input_gets_its_end_at_once(faked: Faked, shell: Shell) -> None:
    shell.run(command("cat"))
    assert (faked.sent, faked.inputs_closed) == (b"", 1)


def test_an_unexpected_code_is_a_failure_that_names_the_command(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(2, "some output\n", "mv: cannot move\n")]
    with pytest.raises(CommandFailed, match=r"controller-1: exit code 2 from `sudo mv a b`\nsome output\nmv: cannot"):
        shell.run(command("mv", "a", "b"))


def test_a_command_without_an_exit_code_means_a_lost_connection(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(-1)]
    with pytest.raises(ConnectionLost):
        shell.run(command("reboot"))


def test_a_lost_connection_is_opened_again_by_the_next_command(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(-1), Ends(0)]
    with pytest.raises(ConnectionLost):
        shell.run(command("a"))
    shell.run(command("a"))
    assert faked.opened == 2


@pytest.mark.parametrize("error", [OSError("broken pipe"), EOFError(), paramiko.SSHException("no transport")])
def test_a_connection_that_breaks_is_a_lost_connection(faked: Faked, shell: Shell, error: Exception) -> None:
    faked.ends = [Ends(error=error)]
    with pytest.raises(ConnectionLost, match="controller-1"):
        shell.run(command("a"))


def test_a_command_that_its_host_ended_has_timed_out(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(124)]
    with pytest.raises(CommandTimedOut, match=r"`sudo dd` did not end within 5 s"):
        shell.run(command("dd", timeout_s=5))


def test_a_host_that_no_longer_answers_counts_as_timed_out_too(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(error=InvokeTimedOut(cast("Any", None), 15))]
    with pytest.raises(CommandTimedOut):
        shell.run(command("dd", timeout_s=5))


def test_a_code_of_124_may_be_allowed(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(124)]
    assert shell.run(command("x", ok=(0, 124))).exit_code == 124


@pytest.mark.parametrize("end", [Ends(-1), Ends(error=OSError("closed"))])
def test_a_command_that_close_has_ended_was_stopped_and_did_not_lose_its_host(
    faked: Faked, shell: Shell, end: Ends
) -> None:
    faked.ends, faked.meanwhile = [end], shell.close
    with pytest.raises(Stopped):
        shell.run(command("sleep", "1d"))


def test_a_closed_shell_opens_no_new_connection(faked: Faked, shell: Shell) -> None:
    shell.close()
    with pytest.raises(Stopped):
        shell.run(command("a"))
    assert faked.opened == 0


def test_whole_lines_are_passed_on_and_the_rest_at_the_end(faked: Faked, shell: Shell) -> None:
    seen: list[str] = []
    faked.ends = [Ends(0, "one line\r\nanother one\nno end")]
    shell.run(command("a"), seen.append)
    assert seen == ["one line", "another one", "no end"]


def test_the_lines_of_a_quiet_command_are_not_passed_on(faked: Faked, shell: Shell) -> None:
    seen: list[str] = []
    faked.ends = [Ends(0, "the password\n")]
    shell.run(question("hiera"), seen.append)
    assert seen == []


def test_a_secret_in_a_line_is_masked_even_where_it_comes_in_parts(faked: Faked, shell: Shell, secret: str) -> None:
    seen: list[str] = []
    faked.ends = [Ends(0, f"pw {secret}\n")]
    shell.run(command("a"), seen.append)
    assert seen == ["pw ********"]


def test_the_output_of_a_quiet_command_is_withheld_from_its_error(faked: Faked, shell: Shell) -> None:
    faked.ends = [Ends(1, "a hash of a password\n")]
    with pytest.raises(CommandFailed) as failed:
        shell.run(question("cat", "grants.sql"))
    assert "hash" not in str(failed.value) + failed.value.output
    assert "withheld" in str(failed.value)


def test_a_secret_in_an_error_is_masked(faked: Faked, shell: Shell, secret: str) -> None:
    for quiet in (True, False):
        faked.ends = [Ends(1, f"out {secret}", f"denied: {secret}")]
        with pytest.raises(CommandFailed) as failed:
            shell.run(command("mysql", f"-p{secret}", quiet=quiet))
        assert secret not in str(failed.value) + failed.value.output
        assert "denied: ********" in str(failed.value)


def test_a_secret_in_a_command_that_timed_out_is_masked(faked: Faked, shell: Shell, secret: str) -> None:
    faked.ends = [Ends(124)]
    with pytest.raises(CommandTimedOut) as timed_out:
        shell.run(command("mysql", f"-p{secret}"))
    assert secret not in str(timed_out.value)


# -- under the host's lock


def test_a_command_that_changes_anything_runs_only_under_the_lock(faked: Faked, shell: Shell) -> None:
    one = command("rm", "-rf", "x")
    shell.run(one)
    shell.lock_token = "4711"
    shell.run(one)
    shell.run(question("cat", "x"))
    shell.lock_token = None
    shell.run(one)
    free, locked, asked, released = faked.lines
    assert free == released == one.line
    assert asked == question("cat", "x").line
    assert locked == guarded(one, "4711")


@pytest.mark.parametrize("options", [{"root": False}, {"limited": False}])
def test_a_command_on_a_host_that_has_no_lock_runs_as_it_is(
    faked: Faked, shell: Shell, options: dict[str, bool]
) -> None:
    shell.lock_token = "4711"
    one = command("stress", **options)
    shell.run(one)
    assert faked.lines == [one.line]


def test_a_command_that_the_host_refused_was_not_run(faked: Faked, shell: Shell) -> None:
    shell.lock_token = "4711"
    faked.ends = [Ends(76, stderr="this host's lock is not held by this run\n")]
    with pytest.raises(
        LockLost, match=r"controller-1: .* no longer this run's, so `sudo rm -rf x` was not run"
    ) as lost:
        shell.run(command("rm", "-rf", "x"))
    assert "start this one again" in lost.value.hint
    assert not isinstance(lost.value, ConnectionLost | Unreachable | CommandTimedOut), "it would be tried again"


def test_a_commands_own_code_76_is_its_own(faked: Faked, shell: Shell) -> None:
    shell.lock_token = "4711"
    faked.ends = [Ends(76, stderr="sendmail: protocol error\n")]
    with pytest.raises(CommandFailed):
        shell.run(command("mail"))
    faked.ends = [Ends(76)]
    assert shell.run(command("mail", ok=(0, 76))).exit_code == 76
