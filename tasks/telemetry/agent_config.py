"""What Ceilometer's own configuration says of the file that its agents poll by."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.remote.command import script
from blocks.remote.shell import Shell

CONFIG = "/etc/ceilometer"

# Only these two options, with the sections that they stand in: the same files hold passwords. In the order in which oslo.config
# reads them, the last one counts.
_READ = r"""
for f in "$1"/usr/share/ceilometer/ceilometer-dist.conf "$1$2"/ceilometer.conf "$1$2"/ceilometer.conf.d/*.conf; do
  [ ! -f "$f" ] || awk '/^\[/ { section = $0 } /^(cfg_file|pipeline_cfg_file)[ \t]*[=:]/ { print section; print }' "$f"
done
"""


@dataclass(frozen=True)
class AgentOptions:
    """Options of ceilometer.conf; empty where it does not say.

    Attributes:
        polling_file: `[polling] cfg_file`, since Pike.
        pipeline_file: `[DEFAULT] pipeline_cfg_file`: until then it says how often to poll.
    """

    polling_file: str = ""
    pipeline_file: str = ""


def read_options(shell: Shell, root: str = "", folder: str | None = None) -> AgentOptions:
    """Read them on a host.

    Args:
        shell: The host's.
        root: What stands before all paths there.
        folder: Where ceilometer.conf lies below it; None for where it lies as a rule.
    """
    files = CONFIG if folder is None else folder
    return parse_options(shell.run(script(_READ, root, files, quiet=True, changes=False)).stdout)


def parse_options(text: str) -> AgentOptions:
    """Read them from a configuration as oslo.config does: the last one counts, quotes around a value are none of it."""
    found: dict[tuple[str, str], str] = {}
    section = "DEFAULT"
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip().strip("[]")
        elif line and not line[0].isspace() and line[0] not in "#;":
            separators = [line.index(separator) for separator in "=:" if separator in line]
            at = min(separators, default=len(line))
            found[section, line[:at].strip()] = _unquoted(line[at + 1 :].strip())
    return AgentOptions(found.get(("polling", "cfg_file"), ""), found.get(("DEFAULT", "pipeline_cfg_file"), ""))


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def absolute(name: str) -> str:
    """Where oslo.config finds a file of this name for Ceilometer."""
    return name if name.startswith("/") else f"{CONFIG}/{name}"
