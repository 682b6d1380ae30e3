"""Run what is marked `releases` on a lab of every release, one after the other.

    python -m tests.releases [--only RELEASE …]

Each lab is made for this and taken down afterwards. Writes a table to build/releases.md.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from deployments.project import PROJECT
from tests.lab import Lab, LabError
from tests.lab.kinds import RELEASE_VARIABLE
from tests.lab.releases import RELEASES
from tests.lab.shell import interrupt_on_sigterm
from tests.releases.versions import PROGRAMS, versions

FOLDERS = ("tests/lab", "tests/restore_galera", "tests/restore_undercloud_database")
_BUILD = PROJECT / "build"
_RESTORE = "tests.restore_galera.test_restore"


@dataclass(frozen=True)
class Outcome:
    """What was seen on one release."""

    release: str
    versions: dict[str, str]
    result: str
    up_s: float
    restore_s: float
    all_s: float

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return self.result.endswith("passed")


def run_release(release: str) -> Outcome:
    """Make a lab of a release, test on it, and take it down."""
    lab = Lab()
    lab.down()
    started = time.monotonic()
    try:
        lab.up(release=release)
        up_s = time.monotonic() - started
        found = versions(lab)
        result, restore_s = _test(release)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        reason = str(error).partition("\n")[0]
        return Outcome(release, {}, f"failed: {reason}", 0.0, 0.0, time.monotonic() - started)
    finally:
        lab.down()
    return Outcome(release, found, result, up_s, restore_s, time.monotonic() - started)


def _test(release: str) -> tuple[str, float]:
    report = _BUILD / f"releases-{release}.xml"
    report.unlink(missing_ok=True)
    words = ["-m", "pytest", "-m", "releases", f"--junitxml={report}", "-o", "junit_family=xunit2", *FOLDERS]
    environment = {**os.environ, RELEASE_VARIABLE: release}
    code = subprocess.run([sys.executable, *words], cwd=PROJECT, env=environment).returncode
    return read_report(report, code)


def read_report(report: Path, code: int) -> tuple[str, float]:
    """Return what became of pytest's run, and the seconds of the longest test that restores.

    Args:
        report: The file that it wrote; it may be missing.
        code: Its exit code.
    """
    if not report.exists():
        return f"no report (exit code {code})", 0.0
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314 - pytest's own
    failed = [
        case.get("name") or "?" for case in cases if any(case.find(kind) is not None for kind in ("failure", "error"))
    ]
    skipped = [case for case in cases if case.find("skipped") is not None]
    seconds = [float(case.get("time") or 0) for case in cases if case.get("classname") == _RESTORE]
    if code != 0 or failed or not cases:
        told = ", ".join(failed) or f"exit code {code}"
        return f"failed: {told}", max(seconds, default=0.0)
    left_out = f", {len(skipped)} left out" if skipped else ""
    return f"{len(cases) - len(skipped)}{left_out} passed", max(seconds, default=0.0)


def table(outcomes: list[Outcome]) -> str:
    """Return the table, in Markdown."""
    columns = ["Release", *PROGRAMS, "result", "up (s)", "longest restore (s)", "all (s)"]
    lines = [columns, ["---"] * len(columns)]
    for one in outcomes:
        seen = [one.versions.get(program, "?") for program in PROGRAMS]
        seconds = [f"{value:.0f}" for value in (one.up_s, one.restore_s, one.all_s)]
        lines.append([one.release, *seen, one.result, *seconds])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def run_all(releases: list[str]) -> list[Outcome]:
    """Run them one after the other, and write the table as it grows."""
    _BUILD.mkdir(exist_ok=True)
    outcomes: list[Outcome] = []
    for release in releases:
        outcomes.append(run_release(release))
        (_BUILD / "releases.md").write_text(table(outcomes))
        print(table(outcomes), flush=True)
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    """Run them all; 0 where every test passed on every release."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=list(RELEASES), choices=RELEASES, metavar="RELEASE")
    options = parser.parse_args(arguments)
    interrupt_on_sigterm()
    try:
        outcomes = run_all(options.only)
    except KeyboardInterrupt:
        print("interrupted; build/releases.md has what was seen so far", file=sys.stderr)
        return 130
    return 0 if all(one.passed for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
