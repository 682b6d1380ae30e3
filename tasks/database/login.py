"""Whether root can log in: with the option file in the container, and with the password that the deployment knows."""

from __future__ import annotations

from blocks.remote.command import Command
from blocks.remote.shell import Shell
from tasks.database.mariadb import Server
from tasks.node.podman import podman_exec_stdin

_ANY = tuple(range(256))
_ASK = "SELECT 1"
# An option file that the client reads from its standard input: the password is in no word and in no file.
_STDIN = "/dev/stdin"


def options_with(password: str) -> str:
    """The text of an option file with a password; in quotes a backslash and a quote stand behind a backslash."""
    escaped = password.replace("\\", "\\\\").replace('"', '\\"')
    return f'[client]\npassword="{escaped}"\n'


def accepts_options(shell: Shell, server: Server) -> bool:
    """Whether the server lets root in with the container's own option file, as everything that is asked of it does."""
    ask = Command(server.client("--batch", f"--execute={_ASK}"), ok=_ANY, quiet=True, changes=False)
    return shell.run(ask).exit_code == 0


def accepts_password(shell: Shell, server: Server, password: str) -> bool:
    """Whether the server lets root in with a password.

    Args:
        shell: The server's host.
        server: The server.
        password: The one that hiera has; it goes through standard input.
    """
    words = (
        "mysql",
        f"--defaults-file={_STDIN}",
        f"--socket={server.socket}",
        "-uroot",
        "--batch",
        f"--execute={_ASK}",
    )
    ask = Command(
        podman_exec_stdin(server.container, *words),
        stdin=options_with(password),
        stdin_is="an option file with the password",
        ok=_ANY,
        quiet=True,
        changes=False,
    )
    return shell.run(ask).exit_code == 0
