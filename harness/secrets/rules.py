"""What keys look like, provider by provider.

Each pattern takes time in proportion to what it reads, whatever that is: a start is looked for only where a run of the
pattern's own characters begins, and what has to be counted is counted after the match.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["ADDRESS_RULES", "TEXT_RULES", "Rule", "is_random"]

Match = re.Match[bytes]


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of secret."""

    name: str
    """In words, as it is shown to a user."""
    pattern: re.Pattern[bytes]
    """The group ``secret`` is what has to go, where there is one; else the whole match."""
    hints: tuple[bytes, ...]
    """Text without one of these can't match: looking for it is what most text costs."""
    holds: Callable[[bytes], bool] = lambda _secret: True
    """Whether a match looks random enough to be a secret."""


def is_random(secret: bytes) -> bool:
    """Letters and at least two digits: what ordinary words lack."""
    return len(_DIGIT.findall(secret)) > 1 and _LETTER.search(secret) is not None


def _has_random_run(secret: bytes) -> bool:
    """Sixteen letters and digits in one piece, both among them: no words joined by hyphens."""
    return any(map(is_random, _RUN.findall(secret)))


_DIGIT = re.compile(rb"[0-9]")
_LETTER = re.compile(rb"[A-Za-z]")
_RUN = re.compile(rb"[A-Za-z0-9]{16,}")

_BEGIN = rb"(?:(?<![A-Za-z0-9_-])|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
"""Where a run begins; the letter or digit before it may be the end of an escape."""
_END = rb"(?![A-Za-z0-9_-])"


def _key(name: str, pattern: bytes, *hints: bytes, holds: Callable[[bytes], bool] | None = None) -> Rule:
    return Rule(name, re.compile(_BEGIN + pattern), hints, *([holds] if holds else []))


def _placed(name: str, pattern: bytes, *hints: bytes, holds: Callable[[bytes], bool] | None = None) -> Rule:
    return Rule(name, re.compile(pattern, re.IGNORECASE), hints, *([holds] if holds else []))


_QUERY_NAMES = (
    rb"(?:key|api[-_]?key|subscription-key|(?:access|auth|refresh|id|session)?[-_]?token|client_secret|sig|signature"
    rb"|x-amz-(?:signature|security-token|credential)|x-goog-(?:signature|credential))"
)

TEXT_RULES: tuple[Rule, ...] = (
    _key("Anthropic key", rb"sk-ant-[A-Za-z0-9_-]{16,}", b"sk-ant-"),
    _key("OpenAI key", rb"sk-(?:proj|svcacct|service|admin|None)-[A-Za-z0-9_-]{16,}", b"sk-", holds=is_random),
    _key("API key", rb"sk-[A-Za-z0-9_-]{20,}", b"sk-", holds=_has_random_run),
    _key("Google API key", rb"AIza[A-Za-z0-9_-]{35}" + _END, b"AIza"),
    _key("Google key", rb"AQ\.Ab[A-Za-z0-9_-]{40,}", b"AQ.Ab"),
    _key("Google access token", rb"ya29\.[A-Za-z0-9_.-]{20,}", b"ya29."),
    _key("Google client secret", rb"GOCSPX-[A-Za-z0-9_-]{20,}", b"GOCSPX-"),
    Rule(
        "AWS access key id",
        re.compile(_BEGIN + rb"(?<![+/])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9+/])"),
        (b"AKIA", b"ASIA", b"ABIA", b"ACCA"),
    ),
    _placed(
        "AWS secret key",
        rb"secret_?(?:access)?_?key[^A-Za-z0-9]{1,12}(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])",
        *(
            b"ecret_access_key",
            b"ecretAccessKey",
            b"SECRET_ACCESS_KEY",
            b"ecretaccesskey",
            b"aws_secret",
            b"AWS_SECRET",
        ),
        holds=is_random,
    ),
    _key("Azure key", rb"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{20,40}" + _END, b"JQQJ99"),
    _placed(
        "Azure key",
        rb"(?:account|sharedaccess)key=(?P<secret>[A-Za-z0-9+/]{40,}={0,2})",
        *(b"AccountKey=", b"accountkey=", b"AccessKey=", b"accesskey="),
    ),
    _placed(
        "key beside its name",
        rb"(?:api|subscription|access|account|client)[-_ ]?(?:key|secret|token)[^A-Za-z0-9]{1,12}"
        rb"(?P<secret>(?:[0-9a-f]{32,}|[A-Za-z0-9]{40,}))" + _END,
        *(b"api_key", b"api-key", b"apikey", b"apiKey", b"ApiKey", b"Api-Key", b"API_KEY", b"API-KEY", b"API key"),
        *(b"scription-key", b"scription-Key", b"client_secret", b"clientSecret", b"CLIENT_SECRET", b"access_token"),
        *(b"accessToken", b"account_key", b"accountKey"),
        holds=is_random,
    ),
    _key("Hugging Face token", rb"(?:hf|api_org)_[A-Za-z0-9]{30,}", b"hf_", b"api_org_", holds=is_random),
    _key("Groq key", rb"gsk_[A-Za-z0-9]{30,}", b"gsk_"),
    _key("xAI key", rb"xai-[A-Za-z0-9]{40,}", b"xai-"),
    _key("GitHub token", rb"gh[oprsu]_[A-Za-z0-9]{30,}", *(b"gh%c_" % kind for kind in b"oprsu")),
    _key("GitHub token", rb"github_pat_[A-Za-z0-9_]{22,}", b"github_pat_"),
    _key("GitLab token", rb"glpat-[A-Za-z0-9_-]{20,}", b"glpat-"),
    _key("Slack token", rb"xox[abeoprs](?:\.xox[abeoprs])?-[A-Za-z0-9-]{10,}", b"xox", holds=is_random),
    _key("Slack token", rb"xapp-[0-9]-[A-Za-z0-9-]{10,}", b"xapp-", holds=is_random),
    _placed(
        "Slack webhook",
        rb"hooks\.slack\.com\\*/services\\*/(?P<secret>[A-Za-z0-9]{8,}\\*/[A-Za-z0-9]{8,}\\*/[A-Za-z0-9]{16,})",
        b"hooks.slack.com",
    ),
    _key("Stripe key", rb"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}", b"k_live_", b"k_test_"),
    _key("JWT", rb"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}", b"eyJ"),
    _placed(
        "bearer token",
        rb"(?<![A-Za-z0-9])bearer(?: |%20|\+)(?P<secret>[A-Za-z0-9._~+/-]{20,}=*)",
        *(b"earer ", b"EARER ", b"earer%20", b"earer+"),
        holds=is_random,
    ),
    Rule(
        "private key",
        re.compile(
            rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[A-Za-z0-9+/=\s:,.]|\\+[nrt/]|-(?!-)){40,}"
            rb"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
        ),
        (b"PRIVATE KEY",),
    ),
    _placed(
        "key in an address",
        rb"[?&]" + _QUERY_NAMES + rb"=(?P<secret>[A-Za-z0-9_.~%+/-]{16,})",
        *(b"key=", b"Key=", b"token=", b"Token=", b"_secret=", b"sig=", b"ignature=", b"redential="),
        holds=is_random,
    ),
    _placed("password in an address", rb"://[^\s/@:\"'\\<>*]{1,200}:(?P<secret>[^\s/@:\"'\\<>*]{8,200})@", b"://"),
)
"""What is looked for in every text."""

ADDRESS_RULES: tuple[Rule, ...] = (
    _placed("key in an address", rb"[?&]" + _QUERY_NAMES + rb"=(?P<secret>[^&#*\s]+)", b"="),
    _placed("password in an address", rb"://(?P<secret>[^/@?#*\s]+)(?=@)", b"@"),
)
"""What is looked for in an address that a request goes to: there every such value is one."""
