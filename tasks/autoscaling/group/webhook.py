"""The policies of a scaling group, and the addresses by which anybody who has them makes it grow or shrink."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from requests import Response

from blocks.remote.cloud import Cloud
from blocks.remote.cloud_errors import CloudError
from blocks.remote.secrets import register
from tasks.heat.stack import Resource, Stack, read_resources

_POLICY_TYPES = ("OS::Heat::ScalingPolicy", "AWS::AutoScaling::ScalingPolicy")
_CODE = re.compile(r"<Code>(\w+)</Code>|\"Code\":\s*\"(\w+)\"")


@dataclass(frozen=True)
class Policy:
    """A scaling policy.

    Attributes:
        name: Of its resource.
        alarm_url: Signed address that needs no login; a secret.
        signal_url: Address in Heat's own API, which needs a login.
    """

    name: str
    alarm_url: str = field(repr=False)
    signal_url: str = field(repr=False)


class WebhookRefused(CloudError):
    """A webhook answered, and did not do what it is for.

    Args:
        code: Heat's word for it (`AccessDenied`); empty where the answer has none.
    """

    def __init__(self, cloud: str, message: str, hint: str, status: int, code: str) -> None:
        super().__init__(cloud, message, hint, status)
        self.code = code


def read_policies(cloud: Cloud, stack: Stack, resources: Sequence[Resource] | None = None) -> dict[str, Policy]:
    """Read a stack's scaling policies; their addresses are masked from now on.

    Raises:
        CloudError, Stopped: As `Cloud.request`.
    """
    listed = read_resources(cloud, stack) if resources is None else resources
    policies = {}
    for resource in listed:
        if resource.type in _POLICY_TYPES and resource.stack == f"{stack.name}/{stack.id}":
            path = f"{stack.path}/resources/{resource.name}"
            body = cloud.get(f"read policy {resource.name}", "orchestration", path)["resource"]
            attributes = body.get("attributes") or {}
            addresses = [register(attributes.get(key) or "") for key in ("alarm_url", "signal_url")]
            policies[resource.name] = Policy(resource.name, *addresses)
    return policies


def post_webhook(cloud: Cloud, policy: Policy) -> None:
    """Call a policy's webhook as anybody who has its address may; within the cooldown Heat takes it and does nothing.

    Raises:
        WebhookRefused: It answered with an error; a 403 is named.
        CloudError, Stopped: As `Cloud.request`.
    """
    answer = cloud.post_without_token(f"call the webhook of policy {policy.name}", policy.alarm_url)
    if answer.status_code >= 400:
        raise _refused(cloud, policy, answer)


def _refused(cloud: Cloud, policy: Policy, answer: Response) -> WebhookRefused:
    match = _CODE.search(answer.text)
    code = (match[1] or match[2]) if match else ""
    message = f"the webhook of policy {policy.name} answers {answer.status_code}{f' {code}' if code else ''}"
    if code == "InvalidClientTokenId":
        hint = "Keystone no longer has the key that signed it: the policy's stack user is gone; make the stack anew"
    elif code == "SignatureDoesNotMatch":
        hint = "the address was changed or cut short on its way; read it from the stack's outputs again"
    elif answer.status_code == 403:
        # Seen with Debian 12's Keystone 22.0.2 and Heat 19: Keystone closed /v3/ec2tokens to anonymous callers
        # (CVE-2025-65073), Heat learnt to log in there with its commit 0242c28d5.
        hint = (
            "if the address is just as Heat gives it, Keystone refuses Heat's call to /v3/ec2tokens: since the fix of "
            "CVE-2025-65073 that needs a login. Update Heat, and set auth_type, username and password in [ec2authtoken] of "
            "heat.conf. Until then no signed alarm_url works; alarms that use signal_url (trust+http) do"
        )
    else:
        hint = "see the log of heat-api-cfn"
    return WebhookRefused(cloud.name, message, hint, answer.status_code, code)
