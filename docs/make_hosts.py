"""Write docs/hosts.md from docs/hosts.toml.

python docs/make_hosts.py
"""

import tomllib
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
HEAD = """\
# What the runbooks use of their hosts

<!-- Made by `python docs/make_hosts.py` from docs/hosts.toml: change that, and run it again. -->

The documents' own hosts are the oldest that the runbooks work on: Red Hat OpenStack Platform 16.1, which is RHEL 8.2. Every
program that a runbook runs on a host, or in a container there, stands below with what is used of it. A unit test holds every
command that the code can make against this table, so that nothing newer slips in; preflight refuses a host whose podman,
systemd, Pacemaker, pcs or MariaDB is older than RHEL 8.2's, and tells of one that is newer than any that was tried
(`tasks/node/versions.py`).

*Since* is the version that brought it or, where older notes say nothing, the oldest one in which it was looked up. `=` stands
behind an option that takes a value. Names in parentheses are what is used in such a value.

What older hosts refuse, and what is done instead:

| Not used | Came with | Instead |
|---|---|---|
| `podman exec --detach` | podman 2.0 | a shell in the container leaves the server behind, in a session of its own |
| `podman cp CONTAINER:… -` | a whole archive: after 1.6. It pauses the container | `podman exec … cat`, or as below |
| `StandardOutput=append:` of a unit | systemd 240; RHEL 8.3 | the unit's own shell appends to its log |
| a program without a path in `ExecStopPost=` | after RHEL 8, whose systemd 239 refuses it up to 8.10 | `/usr/bin/env` |
| `systemctl show --value` | systemd 230 | the name is cut off: Platform 8 has systemd 219 |
| `crm_mon --output-as=xml` | Pacemaker 2.0.3 | `--as-xml`, which is in 3.0 still |

A file of a container that does not run is read as the container will have it once it is started: from what is mounted over it,
else from what Kolla copies into it at its start (`/var/lib/kolla/config_files/src`), else from its layers (`podman mount`).

"""


def text() -> str:
    """Return the whole document."""
    told = tomllib.loads((DOCS / "hosts.toml").read_text(encoding="utf-8"))
    rows = [_row(program, use) for program in told["program"] for use in program["uses"]]
    head = ["| Program | What is used of it | Since | RHEL 8.2 has | Read in |", "|---|---|---|---|---|"]
    return HEAD + "\n".join([*head, *rows]) + "\n"


def _row(program: dict[str, Any], use: dict[str, Any]) -> str:
    words = " ".join(part for part in (program["name"], use.get("words", "")) if part)
    if program["name"] == "bash" and use.get("words"):
        words = f"bash: {use['words']}"
    flags = ", ".join(f"`{flag}`" for flag in use.get("flags", ()))
    values = ", ".join(f"`{value}`" for value in use.get("values", ()))
    used = f"{flags} ({values})" if values else flags
    has = program["has"] if program["package"] == program["name"] else f"{program['package']} {program['has']}"
    since = f"{use['since']}; before, it {use['otherwise']}" if "otherwise" in use else use["since"]
    return "| " + " | ".join(_cell(cell) for cell in (f"`{words}`", used, since, has, use["source"])) + " |"


def _cell(words: str) -> str:
    """Escape what Markdown would take for a table's own."""
    return words.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    (DOCS / "hosts.md").write_text(text(), encoding="utf-8")
