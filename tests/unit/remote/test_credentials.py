"""What lets somebody act is masked by its form, though nobody has registered it; what only looks like it stays."""

from __future__ import annotations

import time

import pytest

from blocks.remote.credentials import credentials_in, names_a_secret
from blocks.remote.secrets import MASK, mask

_FERNET = "gAAAAABoexampleTOKENofTheStackUser0123456789-_=="
_PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA0s\nq7Zk3v==\n-----END RSA PRIVATE KEY-----"

SECRETS = [
    ("curl -H 'X-Auth-Token: abc123def456' http://heat.test/v1", "abc123def456"),
    ('{"X-Subject-Token": "0123456789abcdef"}', "0123456789abcdef"),
    ('"headers": "{\\"X-Auth-Token\\": \\"0123456789abcdef\\"}"', "0123456789abcdef"),
    ("x-service-token:0123456789abcdef", "0123456789abcdef"),
    ("HTTP_X_AUTH_TOKEN=0123456789abcdef", "0123456789abcdef"),
    ("X-Auth-Key: swiftKey1", "swiftKey1"),
    ("X-Storage-Token: AUTH_tk0123", "AUTH_tk0123"),
    ("Authorization: Basic YWRtaW46c2VjcmV0", "YWRtaW46c2VjcmV0"),
    ("{'Authorization': 'Bearer abc.def-123'}", "abc.def-123"),
    ("Proxy-Authorization: Basic YWRtaW4=", "YWRtaW4="),
    ("Authorization: AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=fe5f80", "fe5f80"),
    ("it sent Bearer 0123456789abcdef0123", "0123456789abcdef0123"),
    ("Set-Cookie: sessionid=abc; Path=/", "sessionid=abc"),
    (f"invalid token {_FERNET}", _FERNET),
    ("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.c2lnbmF0dXJl", "eyJhbGciOiJFUzI1NiJ9"),
    (
        "http://heat.test/v1/signal/arn?SignatureMethod=HmacSHA256&SignatureVersion=2&Signature=4Nx%2Bq0%3D",
        "4Nx%2Bq0%3D",
    ),
    ("http://s3.test/a?AWSAccessKeyId=AK&Expires=1&Signature=abcd", "abcd"),
    ("http://s3.test/a?X-Amz-Signature=abcd&x=1", "abcd"),
    ("http://s3.test/a?X-Amz-Security-Token=abcd&x=1", "abcd"),
    ("https://swift.test/v1/a/b?temp_url_sig=59fe&temp_url_expires=2147483586", "59fe"),
    ("URL-Signature: 518b51ea133c4facadae42c328d6b77b", "518b51ea133c4facadae42c328d6b77b"),
    ("signature=518b51ea&expires=2015-05-31T19%3A00%3A17Z&paths=%2Fv2%2Fqueues", "518b51ea"),
    ('{"paths": ["/v2/queues/q"], "signature": "518b51ea"}', "518b51ea"),
    ("mysql+pymysql://heat:s3cr3t@10.0.0.1/heat?charset=utf8", "s3cr3t"),
    ("rabbit://guest:p@ss@10.0.0.1:5672//", "p@ss"),
    ("trust+https://2f3a:delete@heat.test/v1/signal", "2f3a:delete"),
    ("git clone https://ghp0123456789abcdef0123@git.test/x", "ghp0123456789abcdef0123"),
    ("curl -sS -u admin:letmein http://x/", "letmein"),
    ("http://x/console?token=0f5c2&path=y", "0f5c2"),
    ("http://x/?password=pa55", "pa55"),
    ("OS_PASSWORD=pa55 openstack token issue", "pa55"),
    ("mysql --password='pa 55' -u root", "pa 55"),
    ("openstack --os-password pa55 stack list", "pa55"),
    ('{"adminPass": "pa 55", "id": 1}', "pa 55"),
    ("{'client_secret': 'abc'}", "abc"),
    ("#cloud-config\npassword: pa55\nchpasswd: {expire: false}", "pa55"),
    (_PEM, "q7Zk3v=="),
    ('{"key": "' + _PEM.replace("\n", "\\n") + '"}', "q7Zk3v=="),
    ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r…", "b3BlbnNzaC1r"),
    ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "MIIE"),
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_what_lets_somebody_act_is_masked_though_nobody_registered_it(text: str, secret: str) -> None:
    assert secret in text
    assert secret not in mask(text)
    assert MASK in mask(text)
    assert mask(mask(text)) == mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "step 12 on controller-0: password is not set",
        "http://192.0.2.7:8004/v1/8f86/stacks?name=a",
        "ssh://stack@192.0.2.7 and mail@example.org at 10:00",
        "http://[fd00::1]:8000/healthcheck",
        "SignatureMethod=HmacSHA256&SignatureVersion=2",
        "set auth_type, username and password in [ec2authtoken] of heat.conf",
        "Authentication is basic; no token: log in first",
        "systemctl restart tripleo_gnocchi_api.service; bypass the balancer",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "-----BEGIN SSH HOST KEY KEYS-----\nssh-rsa AAAA\n-----END SSH HOST KEY KEYS-----",
        "the key=value form, temp_url_expires=2147483586",
        "podman exec --user root:root galera-bundle-podman-0 true",
    ],
)
def test_what_lets_nobody_act_stays(text: str) -> None:
    assert mask(text) == text


def test_what_stands_around_a_credential_stays() -> None:
    text = "curl -i -X POST -H 'X-Auth-Token: abc123' -H 'Content-Type: application/json' http://heat.test:8004/v1"
    assert mask(text) == text.replace("abc123", MASK)


@pytest.mark.parametrize("line", ["a" * 200_000, "://" * 70_000, "curl " * 40_000, "-----BEGIN " * 20_000])
def test_a_long_line_is_masked_in_no_time(line: str) -> None:
    begun = time.monotonic()
    mask(line)
    assert time.monotonic() - begun < 5


def test_the_credentials_themselves_are_found() -> None:
    assert set(credentials_in("X-Auth-Token: abc123, rabbit://guest:pa55@host")) == {"abc123", "pa55"}


@pytest.mark.parametrize(
    "name",
    ["password", "admin_password", "AdminPass", "db-secret", "token", "privateKey", "ssh_key", "ec2_secret_keys"],
)
def test_a_name_of_a_secret_is_known(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize("name", ["key_name", "public_key", "keyPairId", "website_url", "monkey", "keyring_size"])
def test_a_name_of_something_else_is_none(name: str) -> None:
    assert not names_a_secret(name)
