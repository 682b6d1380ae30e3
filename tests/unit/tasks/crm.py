"""What Pacemaker's programs print, in the shapes of 1.1 and of 2.1."""

from __future__ import annotations

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


def pacemaker_1_1(
    replicas: list[Replica], managed: bool = True, name: str = "galera-bundle", reached: bool = True
) -> str:
    """`crm_mon --as-xml` until Pacemaker 2.0; also what later ones write for that option."""
    return (
        '<?xml version="1.0"?>\n<crm_mon version="1.1.23"><summary><nodes_configured number="3"/></summary><nodes/>'
        f"<resources>{OTHER}{bundle(replicas, managed, '::', name, reached)}</resources></crm_mon>\n"
    )


def pacemaker_2_1(
    replicas: list[Replica], managed: bool = True, name: str = "galera-bundle", reached: bool = True
) -> str:
    """`crm_mon --output-as=xml` of Pacemaker 2.1."""
    return (
        '<pacemaker-result api-version="2.25" request="crm_mon --output-as=xml">'
        f"<summary/><nodes/><resources>{OTHER}{bundle(replicas, managed, ':', name, reached)}</resources>"
        '<status code="0" message="OK"/></pacemaker-result>\n'
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
