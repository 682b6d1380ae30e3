"""What Pacemaker's programs print, in the shapes of 1.1 and of 2.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Replica:
    """The galera resource of one replica, and the role of its container."""

    role: str = "Promoted"
    managed: bool = True
    blocked: bool = False
    failed: bool = False
    container: str = "Started"


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _flags(replica: Replica) -> str:
    return (
        f'active="true" orphaned="false" blocked="{_yes(replica.blocked)}" managed="{_yes(replica.managed)}" '
        f'failed="{_yes(replica.failed)}" failure_ignored="false" nodes_running_on="1"'
    )


def bundle(replicas: list[Replica], managed: bool, separator: str, name: str, reached: bool) -> str:
    """A bundle.

    Args:
        replicas: Its galera resources.
        managed: Whether the bundle itself is managed.
        separator: Stands between class and provider of an agent: `::` until 2.0, `:` from 2.1 on.
        name: Its name.
        reached: Whether Pacemaker speaks with the containers.
    """
    whole, role = _flags(Replica(managed=managed)), "Started" if reached else "Stopped"
    inner = "".join(
        f'<replica id="{number}">'
        f'<resource id="{name}-podman-{number}" resource_agent="ocf{separator}heartbeat:podman" role="{replica.container}" {whole}>'
        f'<node name="controller-{number}" id="{number + 1}" cached="false"/></resource>'
        f'<resource id="galera" resource_agent="ocf{separator}heartbeat:galera" role="{replica.role}" '
        f'{_flags(replica)}><node name="{name}-{number}" id="{name}-{number}" cached="false"/></resource>'
        f'<resource id="{name}-{number}" resource_agent="ocf{separator}pacemaker:remote" role="{role}" {whole}/>'
        "</replica>"
        for number, replica in enumerate(replicas)
    )
    return (
        f'<bundle id="{name}" type="podman" image="cluster.common.tag/mariadb:pcmklatest" unique="false" '
        f'managed="{_yes(managed)}" failed="false">{inner}</bundle>'
    )


# A bundle of another service, which must not be taken for the database's.
OTHER = (
    '<bundle id="haproxy-bundle" type="podman" image="haproxy" unique="false" managed="true" failed="false">'
    '<replica id="0"><resource id="haproxy-bundle-podman-0" resource_agent="ocf::heartbeat:podman" role="Started" '
    'active="true" blocked="false" managed="true" failed="false"/></replica></bundle>'
)


def nodes(count: int = 3, states: dict[str, str] | None = None, guests: bool = True) -> str:
    """The nodes of the cluster, and of its bundle the containers, which are nodes as well.

    Args:
        count: How many controllers.
        states: Node → attribute that differs from a healthy node's, as it is written (`standby="true"`).
        guests: Whether the containers are listed.
    """
    healthy = 'online="true" standby="false" standby_onfail="false" maintenance="false" pending="false" unclean="false"'

    def node(name: str, kind: str, more: str = "") -> str:
        told = healthy
        for word in (states or {}).get(name, "").split():
            attribute = word.split("=")[0]
            told = " ".join(word if one.split("=")[0] == attribute else one for one in told.split())
        return f'<node name="{name}" id="{name}" {told} is_dc="false" resources_running="4" type="{kind}"{more}/>'

    members = [node(f"controller-{number}", "member") for number in range(count)]
    inside = [
        node(f"galera-bundle-{number}", "remote", f' id_as_resource="galera-bundle-podman-{number}"')
        for number in range(count if guests else 0)
    ]
    return f"<nodes>{''.join((*members, *inside))}</nodes>"


def summary(quorum: bool = True, coordinator: bool = True, **options: str) -> str:
    """What is true of the whole cluster; options as in `maintenance_mode="true"`."""
    told = {"stonith-enabled": "true", "no-quorum-policy": "stop", "maintenance-mode": "false"}
    told |= {name.replace("_", "-"): value for name, value in options.items()}
    return (
        f'<summary><stack type="corosync"/><current_dc present="{_yes(coordinator)}" name="controller-0" '
        f'with_quorum="{_yes(quorum)}"/><nodes_configured number="3"/>'
        f"<cluster_options {' '.join(f'{name}={value!r}' for name, value in told.items())}/></summary>"
    )


def virtual_address(name: str = "ip-172.16.2.99", node: str = "controller-0") -> str:
    """The resource that holds a virtual address."""
    return (
        f'<resource id="{name}" resource_agent="ocf::heartbeat:IPaddr2" role="Started" {_flags(Replica())}>'
        f'<node name="{node}" id="1" cached="false"/></resource>'
    )


def pacemaker_1_1(
    replicas: list[Replica], managed: bool = True, name: str = "galera-bundle", reached: bool = True
) -> str:
    """`crm_mon --as-xml` until Pacemaker 2.0; also what later ones write for that option."""
    return (
        f'<?xml version="1.0"?>\n<crm_mon version="1.1.23">{summary()}{nodes(len(replicas))}'
        f"<resources>{virtual_address()}{OTHER}{bundle(replicas, managed, '::', name, reached)}</resources></crm_mon>\n"
    )


def pacemaker_2_1(
    replicas: list[Replica], managed: bool = True, name: str = "galera-bundle", reached: bool = True
) -> str:
    """`crm_mon --output-as=xml` of Pacemaker 2.1."""
    return (
        '<pacemaker-result api-version="2.25" request="crm_mon --output-as=xml">'
        f"{summary()}{nodes(len(replicas))}"
        f"<resources>{virtual_address()}{OTHER}{bundle(replicas, managed, ':', name, reached)}</resources>"
        '<status code="0" message="OK"/></pacemaker-result>\n'
    )


ROLES = ("galera-role", "haproxy-role")
EVERYWHERE = {f"controller-{number}": ROLES for number in range(3)}


def cib_nodes(roles: Mapping[str, tuple[str, ...]] | None = None) -> str:
    """The CIB's nodes, with the attributes by which TripleO says what runs where."""
    told = "".join(
        f'<node id="{number}" uname="{name}"><instance_attributes id="nodes-{number}">'
        + "".join(f'<nvpair id="nodes-{number}-{role}" name="{role}" value="true"/>' for role in of)
        + "</instance_attributes></node>"
        for number, (name, of) in enumerate((EVERYWHERE if roles is None else roles).items(), 1)
    )
    return f"<nodes>{told}</nodes>\n"


def cib_constraints(*more: str, vip: str = "ip-172.16.2.99") -> str:
    """The CIB's constraints, as TripleO makes them: what runs on which nodes."""
    told = "".join(
        f'<rsc_location id="location-{name}" resource-discovery="exclusive" rsc="{name}"><rule id="r-{name}" score="0">'
        f'<expression attribute="{role}" id="e-{name}" operation="eq" value="true"/></rule></rsc_location>'
        for name, role in (("galera-bundle", "galera-role"), (vip, "haproxy-role"), ("haproxy-bundle", "haproxy-role"))
    )
    return f"<constraints>{told}{''.join(more)}</constraints>\n"


def cib_address(vip: str = "172.16.2.99", name: str = "ip-172.16.2.99") -> str:
    """The resource of a virtual address in the CIB."""
    return (
        f'<primitive class="ocf" id="{name}" provider="heartbeat" type="IPaddr2"><instance_attributes id="{name}-a">'
        f'<nvpair id="{name}-n" name="cidr_netmask" value="32"/><nvpair id="{name}-ip" name="ip" value="{vip}"/>'
        "</instance_attributes></primitive>\n"
    )


def in_cib(whole: str | None = None, each: str | None = None, name: str = "galera-bundle") -> str:
    """A bundle in the CIB, with `is-managed` of itself and of its database; None where it is not set."""

    def meta(of: str, value: str | None) -> str:
        managed = f'<nvpair id="{of}-is-managed" name="is-managed" value="{value}"/>' if value else ""
        return f'<meta_attributes id="{of}-meta"><nvpair id="{of}-o" name="ordered" value="true"/>{managed}</meta_attributes>'

    return (
        f'<bundle id="{name}"><podman image="mariadb" replicas="3"/><primitive id="galera" type="galera">'
        f"{meta('galera', each)}</primitive>{meta(name, whole)}</bundle>\n"
    )
