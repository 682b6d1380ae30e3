"""What Ansible says at its end: PLAY RECAP, read host by host, and why a host failed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

_RECAP = "PLAY RECAP"
# `controller-0 : ok=20 changed=5 unreachable=0 failed=0 skipped=1 rescued=0 ignored=0`; older ones end after failed.
_ROW = re.compile(r"^(?P<host>\S+)\s*:\s+(?P<counts>ok=\d+.*)$")
_FATAL = re.compile(r"^fatal: \[(?P<host>[^\]\s]+)[^\]]*\]: (?P<what>UNREACHABLE|FAILED)! => (?P<result>.*)$")
_SHOWN = 400


class HostRecap(BaseModel):
    """What a run came to on one host.

    Attributes:
        ok: Tasks that ended well, changes among them.
        changed: Tasks that changed something.
        unreachable: Whether Ansible did not reach it.
        failed: Tasks that failed.
    """

    model_config = ConfigDict(frozen=True)

    ok: int = 0
    changed: int = 0
    unreachable: int = 0
    failed: int = 0

    @property
    def good(self) -> bool:
        """Whether the role was carried out there to its end."""
        return self.ok > 0 and not self.unreachable and not self.failed

    def __str__(self) -> str:
        return f"ok={self.ok} changed={self.changed} unreachable={self.unreachable} failed={self.failed}"


def parse_recap(lines: Sequence[str]) -> dict[str, HostRecap]:
    """Read the last PLAY RECAP.

    Args:
        lines: Of the run's output.

    Returns:
        Host → what it came to; empty where there is no recap, or where the playbook matched no host.
    """
    starts = [number for number, line in enumerate(lines) if line.startswith(_RECAP)]
    found: dict[str, HostRecap] = {}
    for line in lines[starts[-1] + 1 :] if starts else ():
        row = _ROW.match(line.strip())
        if row is None:
            if found and line.strip():
                break
            continue
        counts = dict(re.findall(r"(\w+)=(\d+)", row["counts"]))
        found[row["host"]] = HostRecap.model_validate(
            {name: counts[name] for name in HostRecap.model_fields if name in counts}
        )
    return found


def problems(lines: Sequence[str], hosts: Iterable[str]) -> list[str]:
    """Tell on which of the wanted hosts the role was not carried out to its end, and why.

    Args:
        lines: Of the run's output.
        hosts: Those that it was meant for. One that Ansible has dropped is not in the recap.
    """
    recap, reasons = parse_recap(lines), _reasons(lines)
    found = []
    for host in hosts:
        seen = recap.get(host)
        if seen is None:
            found.append(f"{host}: Ansible did not come to it")
        elif not seen.good:
            why = reasons.get(host) or "see the run's log"
            found.append(f"{host}: {'unreachable' if seen.unreachable else 'failed'} ({seen}): {why}")
    return found


def _reasons(lines: Sequence[str]) -> dict[str, str]:
    """Host → what its last fatal line says."""
    found = {}
    for line in lines:
        if fatal := _FATAL.match(line.strip()):
            found[fatal["host"]] = _message(fatal["result"])
    return found


def _message(result: str) -> str:
    try:
        told = json.loads(result)
    except ValueError:
        return result[:_SHOWN]
    if not isinstance(told, dict):
        return result[:_SHOWN]
    said = [str(told[key]) for key in ("msg", "stderr") if told.get(key)]
    return " ".join(": ".join(said).split())[:_SHOWN]
