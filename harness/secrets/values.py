"""The secrets that the environment holds, and the forms in which they travel."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus, urlsplit

__all__ = ["SHORTEST", "Form", "is_secret_value", "secret_values", "written_forms"]

SHORTEST = 8
"""Shorter values are ordinary words and numbers more often than secrets."""

_SECRET_WORD = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|COOKIE)S?|PASS|PWD|PAT|JWT|BEARER|AUTH|AUTHORIZATION|DSN"
)
_ENDS_SECRET = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD)S?\Z")
_PLACE = re.compile(r"[a-z+]+://[^@?]*")
"""An address in which nobody signs in: that of a server for tokens, say."""
_HARMLESS = {
    *("ALGORITHM", "BUDGET", "COUNT", "DIR", "ENABLED", "ENDPOINT", "EXPIRY", "FILE", "FORMAT", "HEADER", "HOST", "ID"),
    *("LENGTH", "LEVEL", "LIMIT", "MAX", "METHOD", "MIN", "MODE", "NAME", "PATH", "PORT", "PREFIX", "REGION", "SIZE"),
    *("SOCK", "SOCKET", "STORE", "TIMEOUT", "TTL", "TYPE", "URI", "URL", "USER", "USERNAME", "VERSION"),
}
"""Last words that say that the value is about a secret, and not the secret."""
_COMMON = {
    *("changeme", "changeit", "default", "development", "disabled", "dummy-key", "enabled", "example", "localhost"),
    *("password", "passw0rd", "placeholder", "postgres", "postgresql", "production", "required", "simulated"),
    *("staging", "testing", "undefined", "username", "your-api-key", "anonymous", "internal", "keychain", "keyring"),
    # words of the protocols: masked in a reply, they would break it
    *("anthropic", "application", "arguments", "assistant", "authorization", "completed", "completion", "completions"),
    *("developer", "function", "messages", "reasoning", "response", "responses", "streaming", "tool_calls", "tool_use"),
    *("optional", "redacted", "unlimited", "not-needed", "not-used", "12345678", "123456789", "1234567890"),
}


@dataclass(frozen=True, slots=True)
class Form:
    """A value as it is written somewhere."""

    text: bytes
    """What is the same whatever stands around it."""
    shares_first: bool = False
    """Whether the character before holds bits of the value too: in base64 three bytes share four characters."""
    shares_last: bool = False
    """Whether the character after it does."""


def secret_values(environ: Mapping[str, str], names: Collection[str] = ()) -> dict[str, str]:
    """The secrets among the variables by their values: those with a secret's name, and those named here.

    The password of an address is one as well. Each value comes with the name to show for it.
    """
    found: dict[str, str] = {}
    for name, value in environ.items():
        if name in names or (_is_secret_name(name) and not _PLACE.fullmatch(value)):
            for each in (value, *(value.split(",") if "," in value else ())):
                if is_secret_value(each.strip()):
                    found.setdefault(each.strip(), name)
        elif "://" in value and "@" in value:
            password = _password(value)
            if password is not None and is_secret_value(password):
                found.setdefault(password, name)
    return found


def is_secret_value(value: str) -> bool:
    """Whether a value that stands where secrets do is one: long enough, no common word, no file."""
    if len(value) < SHORTEST or value.lower() in _COMMON or len(set(value)) < 3:
        return False
    return not (value[0] in "/~." and os.path.exists(value))  # noqa: PTH110 - Path.exists raises for a long name


def written_forms(value: str) -> Iterator[Form]:
    """The value as it stands in a body, an address, in JSON, or in base64 at each of the three offsets."""
    plain = value.encode("utf-8", "surrogateescape")
    yield Form(plain)
    for escaped in (quote(plain, safe=""), quote(plain), quote_plus(plain)):
        yield Form(escaped.encode())
        yield Form(re.sub(r"%..", lambda match: match.group().lower(), escaped).encode())
    text = plain.decode("utf-8", "replace")
    for ascii_only in (True, False):
        yield Form(json.dumps(text, ensure_ascii=ascii_only)[1:-1].encode())
    for offset in range(3):
        bits = (offset + len(plain)) * 8
        coded = base64.b64encode(b"\0" * offset + plain)[(0, 2, 3)[offset] : bits // 6]
        yield Form(coded, shares_first=offset > 0, shares_last=bits % 6 > 0)
        yield Form(coded.translate(bytes.maketrans(b"+/", b"-_")), shares_first=offset > 0, shares_last=bits % 6 > 0)


def _is_secret_name(name: str) -> bool:
    words = name.upper().split("_")
    if words[-1] in _HARMLESS or words == ["PWD"] or words == ["OLDPWD"] or "MAX" in words:
        return False
    return any(_SECRET_WORD.fullmatch(word) or _ENDS_SECRET.search(word) for word in words)


def _password(address: str) -> str | None:
    try:
        return urlsplit(address).password
    except ValueError:
        return None
