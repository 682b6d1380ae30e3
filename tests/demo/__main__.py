"""Destroy a Galera cluster in the lab on this machine, and watch restore-galera bring it back."""

from __future__ import annotations

import argparse
import os
import sys

from deployments.project import PROJECT
from tests.demo import background, cluster, run
from tests.demo.terminal import heading, quote, say
from tests.lab import Lab, LabError, dumps
from tests.lab.floors import FLOORS
from tests.lab.kinds import Wanted
from tests.lab.releases import RELEASES
from tests.lab.shell import bear_interrupts, interrupt_on_sigterm
from tests.server.fixtures import PrefectServer


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 only if the restored cluster is what it should be."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the Prefect server and its worker running")
    parser.add_argument("--release", choices=RELEASES, help="the Debian of the lab's hosts")
    parser.add_argument("--floor", choices=FLOORS, help="old versions of programs, below which the hosts refuse")
    options = parser.parse_args(arguments)
    interrupt_on_sigterm()
    lab = Lab()
    try:
        found = _demo(lab, Wanted.asked(options.release, options.floor), options.keep)
    except (LabError, run.RunNotStarted, RuntimeError, TimeoutError) as error:
        found = [str(error)]
    except KeyboardInterrupt:
        bear_interrupts()
        lab.down()
        print("demo: interrupted; start it again, it begins with a healthy lab", file=sys.stderr)
        return 130
    for problem in found:
        print(f"demo: {problem}", file=sys.stderr)
    return 1 if found else 0


def _demo(lab: Lab, wanted: Wanted, keep: bool) -> list[str]:
    """Walk through the demo; returns what was not as it should be."""
    if os.geteuid() != 0:
        return ["the demo needs root: the lab's hosts are made of namespaces, mounts and control groups"]
    background.end_earlier()
    heading("The lab: three controllers, an undercloud and a backup host (minutes the first time, then one)")
    cluster.bring_up(lab, wanted)
    say(f"Its hosts: {lab.kind()}.")
    quote(cluster.pacemaker(lab))

    heading("Rows, a dump as documented, and rows that are written after it")
    cluster.write_rows(lab, cluster.BEFORE, anew=True)
    dump = dumps.documented(lab)
    quote(cluster.dumps_written(lab, dump.dump, dump.grants))
    cluster.write_rows(lab, cluster.AFTER)
    say(f"a client at {lab.vip} reads: {cluster.ask_as_client(lab)[1]}")

    heading("The cluster is destroyed: every database killed, every data directory emptied")
    cluster.destroy(lab)
    quote(cluster.pacemaker(lab))
    say("Pacemaker does what it can:")
    cluster.let_pacemaker_rest(lab)
    quote(cluster.pacemaker(lab))
    say(f"a client at {lab.vip} reads: {cluster.ask_as_client(lab)[1]}")

    heading("A Prefect server and a worker, and what they need to know of the site")
    with background.server_and_worker(keep) as server:
        return _restore(lab, server, keep)


def _restore(lab: Lab, server: PrefectServer, keep: bool) -> list[str]:
    say(f"$ python -m deployments apply --site {lab.site}")
    applied = server.run("-m", "deployments", "apply", "--site", str(lab.site))
    quote(applied.stdout + applied.stderr)
    if applied.returncode != 0:
        return ["the site could not be applied"]

    heading("The runbook")
    # By default the deployment takes the only site, and the dump from where the document has it.
    run_id = run.start(server, "restore-galera", "-p", "approved_by=demo")
    ended = run.follow(server, run_id)
    found = _completed(ended, server)

    heading("Its report")
    text = run.report(server, run_id)
    file = background.home() / "report.md"
    file.write_text(text)
    steps, _, departures = text.partition("## Departures from the document")
    quote(run.as_text(run.folded(steps)))
    say(f"The whole report, with its {max(0, departures.count(chr(10) + '| ') - 1)} departures: {file}")
    if not text:
        found.append("there is no report")

    if not found:
        heading("The cluster")
        found += _look(lab)
    _farewell(lab, server, run.seconds(ended), keep, found)
    return found


def _completed(ended: dict[str, object], server: PrefectServer) -> list[str]:
    state = ended["state"]
    assert isinstance(state, dict)
    if state["type"] == "COMPLETED":
        return []
    return [f"the run ended as {state['name']}; its report says why, its log is {server.home}/worker.log"]


def _look(lab: Lab) -> list[str]:
    lab.wait_healthy(60)
    members = [cluster.member(lab, host) for host in lab.controllers]
    for one in members:
        say(f"{one.host}: {one.state}, {one.size} members, cluster {one.uuid}, rows {', '.join(one.rows)}")
    quote(cluster.pacemaker(lab))
    say(f"a client at {lab.vip} reads: {cluster.ask_as_client(lab)[1]}")
    found = cluster.problems(lab, members)
    if not found:
        cluster.forget_destruction(lab)
    return found


def _farewell(lab: Lab, server: PrefectServer, seconds: float, keep: bool, found: list[str]) -> None:
    if not found:
        say(f"\nRestored in {seconds:.0f} s. The rows of the dump are there on every controller; later ones are not.")
    say(f"\nThe lab is still up (in {PROJECT}, with .venv/bin/python for python):")
    say("  python -m tests.lab exec controller-0 pcs status")
    say("  make demo        once more")
    say("  make lab-down    take it down")
    if keep and not found:
        say(f"Prefect's UI: {server.url.removesuffix('/api')} (until the next demo)")
        say(f"  export PREFECT_API_URL={server.url}")


if __name__ == "__main__":
    sys.exit(main())
