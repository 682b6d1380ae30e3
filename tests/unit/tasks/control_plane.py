"""A control plane of fake hosts that answers all that preflight asks, healthy unless a test says otherwise."""

from __future__ import annotations

import base64
from functools import cache
from tempfile import NamedTemporaryFile

from blocks.remote.command import Command
from blocks.remote.shell import Shell
from tasks.database import dump_reading
from tasks.engine.run import Run
from tasks.node.firewall import COMMENT
from tests.unit.fakes import FakeShell, LocalShell
from tests.unit.tasks.crm import EVERYWHERE, Replica, cib_address, cib_constraints, cib_nodes, in_cib, pacemaker_1_1
from tests.unit.tasks.samples import HOSTS, KEPT, SITE, journal

VIP, PASSWORD = "172.16.2.99", "Tr0ub4dor&3"
DUMP, GRANTS = "/home/heat-admin/openstack_database.sql", "/home/heat-admin/grants.sql"
NODES = "gcomm://controller-0.internalapi,controller-1.internalapi,controller-2.internalapi"
GIB = 1024**3

DUMP_TEXT = (
    "-- MariaDB dump 10.17  Distrib 10.3.28-MariaDB, for Linux (x86_64)\n-- Server version\t10.3.28-MariaDB\n"
    "CREATE DATABASE `nova`;\nUSE `nova`;\nCREATE TABLE `user` (`id` int);\nINSERT INTO `user` VALUES (1);\n"
    "-- Dump completed on 2026-11-21 12:00:00\n"
)
GRANTS_TEXT = "GRANT USAGE ON *.* TO 'nova'@'%' IDENTIFIED BY PASSWORD '*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B';\n"
VERSIONS = (
    "podman --version: podman version 1.6.4\nsystemctl --version: systemd 239 (239-31.el8_2.2)\n"
    "crm_mon --version: Pacemaker 2.0.3-5.el8_2.1\npcs --version: 0.10.4\nMariaDB: Ver 10.3.28-MariaDB for Linux\n"
)


# What the databases hold: nothing that the dump and the grants lack.
INVENTORY = "schema\tnova\t\t0\ntable\tnova\tuser\t1\naccount\tnova\t%\t0\nend\t\t\t0\n"


@cache
def reading(text: str) -> str:
    """What the pass over a dump says of it."""
    with NamedTemporaryFile("w") as dump:
        dump.write(text)
        dump.flush()
        return LocalShell().run(dump_reading.reading_command(dump.name)).stdout


def directory(used: int = GIB, free: int = 100 * GIB, mount: bool = False, saves: tuple[str, ...] = ()) -> str:
    """What a host says of its data directory."""
    told = [
        f"used {used}",
        f"free {free}",
        f"mount {'yes' if mount else 'no'}",
        "label yes",
        *(f"save {s}" for s in saves),
    ]
    return "\n".join(told) + "\n"


def encoded(text: str | None, size: int | None = None) -> str:
    """What a host says of a file: its size, and both its ends; None for one that is not there."""
    if text is None:
        return "-1 0\n"
    head, tail = (base64.b64encode(part).decode() for part in (text.encode()[:4096], text.encode()[-4096:]))
    return f"{len(text.encode()) if size is None else size} 1763726400\n{head}\n{tail}"


def give_file(shell: FakeShell, path: str, text: str | None, size: int | None = None) -> None:
    """Put a file on a host."""
    shell.on("base64 -w0", path, say=encoded(text, size)).on('cat "$1"', path, say=text or "")
    shell.on("first_insert", path, say=lambda _: reading(text or "")).on("-samefile", path, say="")


# TripleO's rule, which lets clients in, and the documented one with this project's comment.
ACCEPTING = (
    "-P INPUT ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    '-A INPUT -p tcp -m multiport --dports 3306 -m conntrack --ctstate NEW -m comment --comment "100 mysql_haproxy" -j ACCEPT\n'
)
BLOCKING = (
    "-P INPUT ACCEPT\n"
    f"-A INPUT -d {VIP}/32 -p tcp -m tcp --dport 3306 -m comment --comment {COMMENT} -j DROP\n"
    + ACCEPTING.partition("\n")[2]
)


def names(number: int) -> str:
    """What a controller says of its names and addresses."""
    return (
        f"name controller-{number}\nname controller-{number}.localdomain\naddress 127.0.0.1\n"
        f"address 192.0.2.{number + 1}\naddress 172.16.2.{number + 11}\n"
    )


def resolved(asked: Command) -> str:
    """What getent says of nodes of the internal API's network."""
    known = {f"controller-{number}.internalapi": f"172.16.2.{number + 11}" for number in range(3)}
    return "".join(f"{word} {known[word]}\n" for word in asked.words if word in known)


def controller(number: int, controllers: int = 3) -> FakeShell:
    """One healthy controller of so many."""
    shell = FakeShell(HOSTS[number])
    shell.on("mountpoint -q", "/var/lib/mysql", say=directory())
    shell.on("container ls", say=f"clustercheck\ngalera-bundle-podman-{number}\nhaproxy-bundle-podman-{number}\n")
    shell.on("inspect --type=container", "State.Status", say="running\n")
    shell.on("listed=", say="container clustercheck running\nunit tripleo_clustercheck_healthcheck.timer active\n")
    shell.on("mysql", "--batch", say=INVENTORY)
    shell.on("pgrep", say="7\n").on("iptables -w -S INPUT", say=ACCEPTING)
    shell.on("hostname", say=names(number))
    if number == 0:
        shell.on("hiera", "mysql_vip", say=f"{VIP}\n").on("hiera", "root_password", say=f"{PASSWORD}\n")
        shell.on("--version", say="mysqld  Ver 10.3.28-MariaDB for Linux\n")
        shell.on("crm_mon", say=pacemaker_1_1([Replica("Master")] * controllers)).on(
            "cibadmin", "instance_attributes", say=""
        )
        shell.on("cibadmin --query --xpath", "//bundle[@id='galera-bundle']", say=in_cib())
        in_order = dict(list(EVERYWHERE.items())[:controllers])
        shell.on("--scope nodes", say=cib_nodes(in_order)).on("--scope constraints", say=cib_constraints())
        shell.on("IPaddr", say=cib_address()).on("getent", say=resolved)
        nodes = ",".join(NODES.split(",")[:controllers])
        shell.on("podman exec", "cat", "galera.cnf", say=f"[mysqld]\nwsrep_cluster_address = {nodes}\n")
        shell.on("*.json", say="").on("systemctl show", say="LoadState=not-found\nActiveState=inactive\n")
        give_file(shell, DUMP, DUMP_TEXT)
        give_file(shell, GRANTS, GRANTS_TEXT)
    return shell.on("systemctl --version", say=VERSIONS)


def interrupted(shells: list[FakeShell], journal_line: str) -> None:
    """An earlier attempt has put the old data aside and died, with clients blocked and Galera unmanaged."""
    shells[0].on("*.json", say=f"current.json\t{journal_line}")
    shells[0].on("cibadmin --query --xpath", "//bundle[@id='galera-bundle']", say=in_cib("false", "false"))
    for shell in shells:
        shell.on("mountpoint", say=directory(saves=(KEPT,))).on("iptables -w -S INPUT", say=BLOCKING)


def control_plane(controllers: int = 3) -> tuple[Run, list[FakeShell]]:
    """A run on healthy controllers, and their shells."""
    fakes = [controller(number, controllers) for number in range(controllers)]
    shells: dict[str, Shell] = {shell.name: shell for shell in fakes}
    return Run("restore-galera", SITE, shells, False, journal()), fakes


# Hosts of haproxy, where the database has a role of its own.
BALANCERS = ("balancer-0", "balancer-1")
BALANCED_SITE = SITE.model_copy(
    update={
        "hosts": SITE.hosts | {name: f"192.0.2.{number}" for number, name in enumerate(BALANCERS, 21)},
        "roles": SITE.roles | {"haproxy": list(BALANCERS)},
    }
)
BALANCED_NODES = cib_nodes({**dict.fromkeys(HOSTS, ("galera-role",)), **dict.fromkeys(BALANCERS, ("haproxy-role",))})


def balanced() -> tuple[Run, list[FakeShell], list[FakeShell]]:
    """A run where the virtual address is on hosts of haproxy alone: the database's shells, and those of haproxy."""
    databases = [controller(number) for number in range(len(HOSTS))]
    databases[0].on("--scope nodes", say=BALANCED_NODES)
    balancers = [
        FakeShell(name).on("hostname", say=f"name {name}\n").on("iptables -w -S INPUT", say=ACCEPTING)
        for name in BALANCERS
    ]
    shells: dict[str, Shell] = {shell.name: shell for shell in (*databases, *balancers)}
    return Run("restore-galera", BALANCED_SITE, shells, False, journal()), databases, balancers
