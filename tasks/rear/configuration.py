"""Changes of ReaR's configuration: blocks at the end of local.conf, the modes of its files, and a look at what ReaR then reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blocks.remote.command import question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait
from tasks.rear.settings import LOCAL_CONF, Wanted, differences, read_settings

# Names of blocks.
MENDED, UEFI, NETWORK = "what the role leaves wrong", "UEFI", "network of the rescue system"
_AS_WANTED = "as it should be"

# The block is taken out wherever it stands and put at the end, where it counts; what else is in the file stays. In one move.
_REPLACE = r"""
new=$(mktemp "$1.XXXXXX")
trap 'rm -f -- "$new"' EXIT
awk -v begin="$2" -v end="$3" '$0 == begin { within = 1 } !within { print } $0 == end { within = 0 }' "$1" >"$new"
cat >>"$new"
chmod 600 "$new"
mv -fT -- "$new" "$1"
"""
_READ = '[ ! -e "$1" ] || cat -- "$1"'


def _marks(name: str) -> tuple[str, str]:
    return f"# BEGIN openstack-runbooks: {name}", f"# END openstack-runbooks: {name}"


def _read_local_conf(shell: Shell) -> str:
    return shell.run(script(_READ, LOCAL_CONF, quiet=True, changes=False)).stdout


def add_block(name: str, lines: Sequence[str]) -> Change:
    """Have a block at the end of local.conf.

    Args:
        name: The block's; one of that name is replaced.
        lines: What is in it, without a secret.
    """
    begin, end = _marks(name)
    text = "".join(f"{line}\n" for line in (begin, *lines, end))
    says = f"add to {LOCAL_CONF}: {name}"
    return Change(
        (script(_REPLACE, LOCAL_CONF, begin, end, stdin=text, stdin_is="\n".join(lines), says=says),),
        already=lambda shell: text in _read_local_conf(shell),
    )


def remove_block(name: str) -> Change:
    """Have no such block in local.conf any more.

    Args:
        name: The block's.
    """
    says = f"take out of {LOCAL_CONF}: {name}"
    return Change(
        (script(_REPLACE, LOCAL_CONF, *_marks(name), stdin="", says=says),),
        already=lambda shell: not has_block(shell, name),
    )


def has_block(shell: Shell, name: str) -> bool:
    """Whether local.conf has a block of this name."""
    return _marks(name)[0] in _read_local_conf(shell).splitlines()


# The role's copies bear names like local.conf.1234.2026-11-27@12:00:00~.
_CLOSE = 'find "$@" -exec chmod 600 {} +'


def close_files() -> Change:
    """Let nobody but root read ReaR's configuration: with a password in a URL it is a secret, in the role's old copies as well."""
    files = ("/etc/rear", "-maxdepth", "1", "-type", "f", "-name", "*.conf*", "-perm", "/077")
    return Change(
        (script(_CLOSE, *files, says="let nobody but root read ReaR's configuration"),),
        already=lambda shell: not shell.run(question("find", *files)).text,
    )


def check_settings(wanted: Callable[[str], Wanted], within_s: float = 30) -> Change:
    """See on each node that ReaR reads what it should.

    Args:
        wanted: Host → what that is.
        within_s: Seconds until it must.
    """

    def look(shell: Shell) -> str:
        return "; ".join(differences(read_settings(shell), wanted(shell.name))) or _AS_WANTED

    hint = f"see {LOCAL_CONF}, and what site.conf and rescue.conf beside it set"
    return Change((), until=Wait("what ReaR reads", _AS_WANTED, look, within_s, hint))
