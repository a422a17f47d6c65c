"""Which headers of a response are kept, and what in them is masked.

Agents act on headers that nobody can list: the next page, the address of a job, a rate limit of some provider, the
version of a record. So all are kept but those that no client of an API acts on; and since one of them may hold a secret
that no rule knows, what looks random in a header that is not known to be harmless is masked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.records.exchange import Headers
from harness.secrets import Finding, is_random

__all__ = ["dropped_values", "find_by_look", "find_by_name", "is_kept", "is_token", "masked_values"]

_OF_CONNECTION = {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
_FOR_BROWSERS = {
    *("alt-svc", "content-security-policy", "content-security-policy-report-only", "expect-ct", "nel", "p3p"),
    *("permissions-policy", "referrer-policy", "report-to", "reporting-endpoints", "strict-transport-security"),
    *("x-content-type-options", "x-download-options", "x-frame-options", "x-permitted-cross-domain-policies"),
    "x-xss-protection",
}
_OF_SERVERS = {"server", "server-timing", "via", "x-cache", "x-cache-hits", "x-powered-by", "x-served-by", "x-timer"}
_DROPPED = _OF_CONNECTION | _FOR_BROWSERS | _OF_SERVERS
_DROPPED_FAMILIES = ("access-control-", "cf-", "cross-origin-", "x-amz-cf-", "x-envoy-")

_COOKIE = re.compile(rb'[^=;]*=\s*"?(?P<secret>[^;"]+)')
_SECRET_WORDS = {
    *("apikey", "auth", "authentication", "authorization", "authtoken", "cookie", "credential", "credentials", "csrf"),
    *("csrftoken", "jwt", "key", "password", "secret", "session", "sessionid", "sid", "signature", "ticket", "token"),
    "xsrf",
}
_SECRET = re.compile(rb'(?![0-9]+(?:[\s,;"]|\Z))[^\s,;"]{8,}')
"""As long as secrets are; a number says when or how many."""
_WORDS_OF_ACCOUNTS = {"account", "customer", "organisation", "organization", "project", "tenant"}
_HARMLESS = re.compile(
    r"content-.*|(?:.*-)?(?:id|ids|requestid|traceparent|etag|digest|hash|md5|crc32c?|crc64|sha1|sha256|version)"
    r"|.*-checksum-.*|x-amz-id-2|(?:www|proxy)-authenticate|link|refresh|(?:.*-)?(?:location|uri|url)"
)
"""What is random and no secret: names of requests and of versions, sums, challenges, addresses."""
_OPAQUE = re.compile(rb"[A-Za-z0-9+/_=~.-]{16,}")
_RUN = re.compile(rb"[A-Za-z0-9]{16,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TOKEN = 16
"""How long a random value is at least that is surely nobody's own word."""


def is_kept(name: str) -> bool:
    """Tell whether a header of this name, in lower case, is kept."""
    return name not in _DROPPED and not name.startswith(_DROPPED_FAMILIES)


def find_by_name(name: str, value: bytes) -> list[Finding]:
    """Find the secrets and account names in a header that exists to carry them."""
    words = set(re.split("[-_]", name))
    if name == "set-cookie":
        match = _COOKIE.match(value)
        return [Finding("cookie", (match.span("secret"),))] if match else []
    if words & _WORDS_OF_ACCOUNTS:
        return [Finding("account", ((0, len(value)),))] if value else []
    if words & _SECRET_WORDS:
        return [Finding("secret of a header", (match.span(),)) for match in _SECRET.finditer(value)]
    return []


def find_by_look(name: str, value: bytes) -> list[Finding]:
    """Find what looks random in a header that is not known to be harmless: it may be a secret that no rule knows.

    An address is left to the rules for addresses: the request that follows it is kept as well.
    """
    if _HARMLESS.fullmatch(name) or b"://" in value or value.startswith(b"/"):
        return []
    rule = f"random value in {name}, a header that is not known"
    return [Finding(rule, (match.span(),)) for match in _OPAQUE.finditer(value) if _is_opaque(match.group())]


def masked_values(headers: Headers) -> Iterator[tuple[str, str]]:
    """List what is masked in kept headers: the header's name, and the value that the recording does not hold."""
    for name, value in headers:
        data = value.encode(errors="replace")
        found = (find_by_name(name, data) or find_by_look(name, data)) if is_kept(name) else []
        for finding in found:
            yield name, data[slice(*finding.spans[0])].decode(errors="replace")


def dropped_values(headers: Headers) -> Iterator[tuple[str, str]]:
    """The headers that are not kept."""
    return (pair for pair in headers if not is_kept(pair[0]))


def is_token(value: str) -> bool:
    """Tell whether a value can only come from the server, and is no word that an agent has from elsewhere."""
    return len(value) >= _TOKEN and is_random(value.encode())


def _is_opaque(word: bytes) -> bool:
    return any(map(is_random, _RUN.findall(word)))
