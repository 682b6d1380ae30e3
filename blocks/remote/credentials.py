"""What lets somebody act, told by its form: tokens in headers, signatures in addresses, passwords in addresses, private keys.

A secret that this process reads is registered (`blocks.remote.secrets`). These are those that nobody has registered: they stand
in what others have written, as in the output of a stack or in a service's error message.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# A value ends at whatever may enclose it: quotes, also escaped ones, the next parameter of an address, the end of a word.
_VALUE = r"(?P<secret>[^\s\"'\\&;,<>()\[\]{}]+)"
_QUOTE = r"\\?[\"']"
# Between a name and its value: of a header, an environment, a JSON object.
_IS = rf"(?:{_QUOTE})?\s*[:=]\s*(?:{_QUOTE})?"
# The words by which a secret is called, at the end of its name: OS_PASSWORD, adminPass, client_secret.
_NAMES = (
    r"(?:pass(?:word|wd|phrase)|(?<![a-z])pass|adminpass|secret|token|(?:api|private|secret|access|account)[_-]?key"
    r"|credential)s?"
)
_TO_THE_QUOTE = r"(?P<secret>[^\"'\r\n\\]+)"

# Each with the part that is the secret. No form begins with a repetition: on a long line without a secret that would take the
# square of its length.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.MULTILINE)
    for form in (
        # To its end, or to the end of what there is of it.
        r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----(?P<secret>(?s:.+?))(?:-----END [A-Z0-9 ]+-----|\Z)",
        # X-Auth-Token, X-Subject-Token, X-Service-Token, X-Auth-Key; as environments write them, too (HTTP_X_AUTH_TOKEN).
        rf"X[-_](?:[A-Z]+[-_]){{1,3}}(?:Token|Key|Secret|Password){_IS}{_VALUE}",
        # AWS has its signature later on the line, found by its name.
        rf"Authorization{_IS}(?:(?:Bearer|Basic|Token|Negotiate|Digest)\s+)?{_VALUE}",
        r"\bBearer\s+(?P<secret>[A-Z0-9._~+/-]{16,}=*)",
        rf"\b(?:Set-)?Cookie(?:{_QUOTE})?:\s*(?:{_QUOTE})?{_TO_THE_QUOTE}",
        # Keystone's tokens where they stand by themselves: Fernet and JWS.
        r"(?<![\w-])(?P<secret>(?-i:gAAAA)[\w-]{16,}={0,2})",
        r"(?<![\w-])(?P<secret>(?-i:eyJ)[\w-]{8,}\.(?-i:eyJ)[\w-]{8,}\.[\w-]{8,})",
        # Signed addresses: of EC2 (Heat's alarm_url, S3), of Swift; Zaqar's signed queues, as address and as header.
        rf"(?<![A-Z])Signature={_VALUE}",
        rf"\bURL-Signature{_IS}{_VALUE}",
        rf"(?:temp_url_sig|[?&;]sig)={_VALUE}",
        # Who logs in, within an address: scheme://user:password@host, trust+https://trust:delete@host, https://token@host.
        r"\btrust\+https?://(?P<secret>[^\s/@]+)@",
        r"://[^\s/:@\"']*:(?P<secret>[^\s/\"']+)@",
        r"\bhttps?://(?P<secret>[^\s/:@\"']{20,})@",
        r"\bcurl\b[^\n]{0,400}?\s(?:-u|--user|--proxy-user)[ =]?[\"']?[^\s:\"']+:(?P<secret>[^\s\"']+)",
        # password=…, OS_PASSWORD=…, "adminPass": "…", --os-token …, and a line of YAML that is nothing else.
        rf"{_NAMES}={_QUOTE}{_TO_THE_QUOTE}",
        rf"{_NAMES}={_VALUE}",
        rf"(?:{_NAMES}|signature|temp_url_sig){_QUOTE}\s*:\s*{_QUOTE}{_TO_THE_QUOTE}",
        rf"\s--(?:[a-z]+-)*{_NAMES}\s+(?:{_QUOTE})?(?P<secret>[^\s\"'-][^\s\"']*)",
        rf"^[ -]*(?:[A-Z]\w*[_-])?{_NAMES}:[ \t]+(?P<secret>\S+)[ \t]*$",
    )
)
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SECRET_WORDS = frozenset(
    [
        "pass",
        "password",
        "passwords",
        "passwd",
        "passphrase",
        "pwd",
        "secret",
        "secrets",
        "token",
        "tokens",
        "credential",
        "credentials",
        "key",
        "keys",
        "apikey",
    ]
)
# A key that is no secret: its name, its public half.
_OPEN_WORDS = frozenset(["name", "names", "public", "pub", "fingerprint", "fingerprints", "id", "ids", "host"])


def credentials_in(text: str) -> Iterator[str]:
    """Find what lets somebody act in a text that others have written."""
    for form in _FORMS:
        for found in form.finditer(text):
            yield found["secret"]


def without_credentials(text: str, instead: str) -> str:
    """Return the text with something else in the place of each credential."""

    def replaced(found: re.Match[str]) -> str:
        begin, end = (found.start("secret") - found.start(), found.end("secret") - found.start())
        return f"{found[0][:begin]}{instead}{found[0][end:]}"

    for form in _FORMS:
        text = form.sub(replaced, text)
    return text


def names_a_secret(name: str) -> bool:
    """Say whether something is called as a secret is (`admin_password`, `privateKey`); a key pair's name is none."""
    words = {word.lower() for word in _WORDS.findall(name)}
    if not words & _SECRET_WORDS:
        return False
    return not (words & _SECRET_WORDS <= {"key", "keys"} and words & _OPEN_WORDS)
