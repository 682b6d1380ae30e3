"""Load on the members of a group: put on each that is new, looked at, ended."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from blocks.remote.cloud_errors import CloudError, Conflict, NotFound
from blocks.remote.command import Command
from blocks.remote.connection import Watch
from blocks.remote.errors import RunbookError, Stopped
from blocks.remote.shell import Shell
from tasks.autoscaling.group.cpu_load import LoadReport, parse_report, read_load, start_load, stop_load
from tasks.autoscaling.group.group import Server
from tasks.autoscaling.group.member_shells import MemberShells


@dataclass
class LoadGenerator:
    """The loads of one check.

    Attributes:
        shells: Shells on the members.
        processes: How many loads each member gets: its vCPUs.
    """

    shells: MemberShells
    processes: int
    _loaded: set[str] = field(default_factory=set)

    def read(self, servers: Collection[Server], start_for_s: float = 0) -> dict[str, LoadReport | str]:
        """What each member carries, or why it is out of reach, by the servers' ids.

        Args:
            servers: The members, all asked at once.
            start_for_s: Seconds after which a load ends by itself; members without one get it first. 0 only looks.
        """
        if not servers:
            return {}

        def probe(server: Server) -> LoadReport | str:
            new = start_for_s > 0 and server.id not in self._loaded
            answer = self._run_on(server, start_load(self.processes, start_for_s) if new else read_load())
            if new and isinstance(answer, LoadReport) and answer.running >= self.processes:
                self._loaded.add(server.id)
            return answer

        with ThreadPoolExecutor(max_workers=len(servers)) as pool:
            return dict(zip([server.id for server in servers], pool.map(probe, servers), strict=True))

    @property
    def running(self) -> bool:
        """Whether a load was put on a member, and not ended."""
        return bool(self._loaded)

    def stop(self, servers: Collection[Server], watch: Watch) -> None:
        """End the loads on all members, at once; one that can't be reached ends by its own time limit."""

        def stop(server: Server) -> LoadReport | str:
            try:
                return self._run_on(server, stop_load())
            except CloudError as error:  # of its console; the others' loads are ended all the same
                return error.message

        if servers:
            with ThreadPoolExecutor(max_workers=len(servers)) as pool:
                for server, answer in zip(servers, pool.map(stop, servers), strict=True):
                    if isinstance(answer, str):
                        watch.line(f"{server.name}: the load could not be ended, it ends by itself: {answer}")
        self._loaded.clear()

    def _run_on(self, server: Server, command: Command) -> LoadReport | str:
        try:
            shell: Shell = self.shells.shell(server)
            return parse_report(server.name, shell.run(command).stdout)
        except (NotFound, Conflict) as error:  # the server went while it was asked for its console, or is not there yet
            return error.message
        except (Stopped, CloudError):
            raise
        except RunbookError as error:
            return error.message
