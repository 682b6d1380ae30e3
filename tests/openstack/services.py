"""The cloud's services: what runs, as which unit, and what it waits for."""

from dataclasses import dataclass

from tests.openstack.settings import ADDRESS


@dataclass(frozen=True)
class Api:
    """A service that answers HTTP under uwsgi.

    Attributes:
        unit: Name of its unit, which is Debian's.
        kind: Type of the service in Keystone's catalogue; empty for Keystone itself.
        port: Where it listens.
        path: What follows the port in its address in the catalogue.
        script: The WSGI script.
        processes: How many.
        threads: In each; Nova's API cannot have more than one.
    """

    unit: str
    kind: str
    port: int
    path: str
    script: str
    processes: int = 1
    threads: int = 8

    @property
    def url(self) -> str:
        """Its address in the catalogue."""
        return f"http://{ADDRESS}:{self.port}{self.path}"

    @property
    def command(self) -> str:
        """What its unit runs.

        The connection is closed after each answer: a client that keeps one open would hold a thread.
        """
        return (
            f"/usr/bin/uwsgi_python3 --http-socket {ADDRESS}:{self.port} --wsgi-file {self.script} "
            f"--processes {self.processes} --threads {self.threads} --master --lazy-apps --enable-threads "
            "--die-on-term --buffer-size 65535 --listen 100 --need-app --disable-logging --thunder-lock "
            '--add-header "Connection: close"'
        )


@dataclass(frozen=True)
class Daemon:
    """A service without an API of its own.

    Attributes:
        unit: Name of its unit, which is Debian's where Debian has one.
        command: What its unit runs.
        needs: Units of the APIs that must answer before it starts.
    """

    unit: str
    command: str
    needs: tuple[str, ...] = ()


_USR_BIN = "/usr/bin"
KEYSTONE = Api("keystone", "identity", 5000, "/v3", f"{_USR_BIN}/keystone-wsgi-public")
APIS = (
    KEYSTONE,
    Api("placement-api", "placement", 8778, "", f"{_USR_BIN}/placement-api"),
    Api("glance-api", "image", 9292, "", f"{_USR_BIN}/glance-wsgi-api", threads=4),
    Api("nova-api", "compute", 8774, "/v2.1", f"{_USR_BIN}/nova-api-wsgi", processes=2, threads=1),
    Api("heat-api", "orchestration", 8004, "/v1/%(project_id)s", f"{_USR_BIN}/heat-wsgi-api"),
    Api("heat-api-cfn", "cloudformation", 8000, "/v1", f"{_USR_BIN}/heat-wsgi-api-cfn", threads=4),
    Api("gnocchi-api", "metric", 8041, "", f"{_USR_BIN}/gnocchi-api"),
    Api("aodh-api", "alarming", 8042, "", "/usr/share/aodh-common/app.wsgi", threads=4),
    Api("octavia-api", "load-balancer", 9876, "", f"{_USR_BIN}/octavia-wsgi", threads=4),
)
NEUTRON_PORT = 9696
_NEUTRON = "--config-file /etc/neutron/neutron.conf"
_ML2 = "--config-file /etc/neutron/plugins/ml2/ml2_conf.ini"
DAEMONS = (
    Daemon("neutron-server", f"{_USR_BIN}/neutron-server {_NEUTRON} {_ML2}"),
    Daemon("nova-conductor", f"{_USR_BIN}/nova-conductor"),
    Daemon("nova-scheduler", f"{_USR_BIN}/nova-scheduler", ("keystone", "placement-api")),
    Daemon("nova-compute", "/usr/local/sbin/nova-compute", ("keystone", "placement-api", "neutron-server")),
    Daemon(
        "neutron-linuxbridge-agent",
        f"{_USR_BIN}/neutron-linuxbridge-agent {_NEUTRON} --config-file /etc/neutron/linuxbridge_agent.ini",
        ("neutron-server",),
    ),
    Daemon(
        "neutron-l3-agent",
        f"{_USR_BIN}/neutron-l3-agent {_NEUTRON} --config-file /etc/neutron/l3_agent.ini",
        ("neutron-server",),
    ),
    Daemon("heat-engine", f"{_USR_BIN}/heat-engine"),
    Daemon("gnocchi-metricd", f"{_USR_BIN}/gnocchi-metricd"),
    Daemon("aodh-evaluator", f"{_USR_BIN}/aodh-evaluator"),
    Daemon("aodh-notifier", f"{_USR_BIN}/aodh-notifier"),
    Daemon(
        "ceilometer-polling",
        "/usr/local/sbin/ceilometer-polling --polling-namespaces compute",
        ("keystone", "nova-api"),
    ),
    Daemon(
        "ceilometer-agent-notification",
        f"{_USR_BIN}/ceilometer-agent-notification",
        ("keystone", "gnocchi-api"),
    ),
    Daemon("octavia-driver-agent", f"{_USR_BIN}/octavia-driver-agent", ("keystone", "neutron-server")),
)
INFRASTRUCTURE = ("mariadb", "rabbitmq-server", "memcached", "provider-network")
UNITS = (*INFRASTRUCTURE, *(api.unit for api in APIS), *(daemon.unit for daemon in DAEMONS))


def ports() -> dict[str, int]:
    """Returns where each API listens, by its unit."""
    return {**{api.unit: api.port for api in APIS}, "neutron-server": NEUTRON_PORT}


def units() -> dict[str, str]:
    """Returns the unit files of all services, by path."""
    files = {f"/etc/systemd/system/{api.unit}.service": _unit(api.unit, api.command) for api in APIS}
    for daemon in DAEMONS:
        files[f"/etc/systemd/system/{daemon.unit}.service"] = _unit(daemon.unit, daemon.command, daemon.needs)
    wanted = " ".join(f"{unit}.service" for unit in UNITS)
    files["/etc/systemd/system/openstack.target"] = f"[Unit]\nDescription=OpenStack\nWants={wanted}\n"
    return files


def _unit(name: str, command: str, needs: tuple[str, ...] = ()) -> str:
    urls = " ".join(f"http://{ADDRESS}:{ports()[need]}/" for need in needs)
    wait = f"ExecStartPre=/usr/local/sbin/wait-for-http {urls}\n" if urls else ""
    return f"""\
[Unit]
Description=OpenStack {name}
Wants=mariadb.service rabbitmq-server.service memcached.service
After=mariadb.service rabbitmq-server.service memcached.service provider-network.service
StartLimitIntervalSec=0

[Service]
Environment=HOME=/root LANG=C.UTF-8 PYTHONWARNINGS=ignore
{wait}ExecStart={command}
Restart=on-failure
RestartSec=1
TimeoutStartSec=900
TimeoutStopSec=5
KillMode=mixed
"""
