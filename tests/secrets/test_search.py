"""Secrets are found in every form in which they travel, and nothing else is."""

from __future__ import annotations

import base64
import json
import random
import string
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cassettes import load_cassette
from harness.errors import CassetteError
from harness.records.redaction import Redaction
from harness.secrets import Secrets, known_secrets, replaced

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "recordings" / "cassettes"

_DRAW = random.Random(4)


def drawn(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    """Random text; its last characters are such that any count of digits is met."""
    return "".join(_DRAW.choices(letters, k=length - 4)) + "a1B2"


KEYS = {
    "sk-proj-" + drawn(100): "OpenAI key",
    "sk-svcacct-" + drawn(60): "OpenAI key",
    "sk-admin-" + drawn(60): "OpenAI key",
    "sk-" + drawn(48): "API key",
    "sk-ant-api03-" + drawn(93) + "AA": "Anthropic key",
    "sk-ant-admin01-" + drawn(93) + "AA": "Anthropic key",
    "AIza" + drawn(35): "Google API key",
    "AKIA" + drawn(16, "ABCDEFGH234567").upper().replace("1", "2"): "AWS access key id",
    "ASIA" + drawn(16, "ABCDEFGH234567").upper().replace("1", "2"): "AWS access key id",
    drawn(52) + "JQQJ99" + drawn(26): "Azure key",
    "hf_" + drawn(34): "Hugging Face token",
    "gsk_" + drawn(52): "Groq key",
    "xai-" + drawn(80): "xAI key",
    "ghp_" + drawn(36): "GitHub token",
    "gho_" + drawn(36): "GitHub token",
    "ghs_" + drawn(36): "GitHub token",
    "github_pat_" + drawn(22) + "_" + drawn(59): "GitHub token",
    "xoxb-" + "1234567890-1234567890-" + drawn(24): "Slack token",
    "eyJ" + drawn(30) + ".eyJ" + drawn(60) + "." + drawn(43): "JWT",
}
PEM = "-----BEGIN RSA PRIVATE KEY-----\n" + "\n".join(drawn(64) for _ in range(8)) + "\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(("key", "kind"), KEYS.items(), ids=[f"{kind}-{key[:7]}" for key, kind in KEYS.items()])
@pytest.mark.parametrize(
    "place",
    [
        "{}",
        "my key is {}.",
        '{{"key": "{}"}}',
        '{{"text": "line\\n{}\\n"}}',
        '{{"text": "\\u201c{}\\u201d"}}',
        "a=%22{}%22",
    ],
)
def test_keys_of_each_provider_are_found(key: str, kind: str, place: str) -> None:
    """Alone, in a sentence, in JSON, after an escape, in an address."""
    text = place.format(key).encode()
    (found,) = Secrets().find(text)
    assert found.rule == kind
    ((start, end),) = found.spans
    assert text[start:end].decode() == key


@pytest.mark.parametrize(
    ("text", "secret", "kind"),
    [
        ("Authorization: Bearer {}", drawn(30), "bearer token"),
        ('{{"api-key": "{}"}}', "0123456789abcdef" * 2, "key beside its name"),
        ('{{"arguments": "{{\\"api_key\\": \\"{}\\"}}"}}', "0123456789abcdef" * 2, "key beside its name"),
        ("aws_secret_access_key = {}", drawn(40), "AWS secret key"),
        ('"SecretAccessKey": "{}"', drawn(40), "AWS secret key"),
        ("DefaultEndpointsProtocol=https;AccountKey={};E=1", drawn(86) + "==", "Azure key"),
        ("see https://x/a?b=1&access_token={}&c=2", drawn(30), "key in an address"),
        ("https://blob/x?sv=1&sig={}", drawn(40) + "%3D", "key in an address"),
        ("postgres://me:{}@db/x", drawn(12), "password in an address"),
        ("{}", PEM, "private key"),
        ('{{"key": "{}"}}', json.dumps(PEM)[1:-1], "private key"),
    ],
)
def test_secrets_are_found_by_where_they_stand(text: str, secret: str, kind: str) -> None:
    """What is random only to look at is a secret beside its name."""
    whole = text.format(secret).encode()
    (found,) = Secrets().find(whole)
    ((start, end),) = found.spans
    assert (found.rule, whole[start:end].decode()) == (kind, secret)


@pytest.mark.parametrize(
    "text",
    [
        "risk-assessment-of-the-whole-company-2026",
        "sk-learn-pipeline-with-many-words-in-it-2026",
        "the bearer of this-long-hyphenated-expression-of-words",
        "call_Ab12Cd34Ef56Gh78Ij90Kl12 toolu_01Ab12Cd34Ef56Gh78Ij90 msg_01Ab12Cd34Ef56Gh78Ij90 resp_0123456789abcdef",
        "req_0123456789abcdef0123456789abcdef fp_44709d6fcb chatcmpl-Ab12Cd34Ef56Gh78Ij90 rs_0123456789abcdef",
        "gAAAAABo" + drawn(400),
        "https://example.com/a?page=2&key=name&token=none",
        '{"max_tokens": 4096, "prompt_tokens": 12345678, "cache_key": "a"}',
        "-----BEGIN PRIVATE KEY----- is how such a file begins",
        "postgres://me:secret@db",
        "*masked* *masked************** *email:7f*",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Words, ids that providers mint, encrypted reasoning, and masks."""
    assert Secrets().find(text.encode()) == []


@pytest.mark.parametrize("folder", [ROOT / "cassettes", SHARED], ids=["ours", "shared"])
def test_real_traffic_is_left_alone(folder: Path) -> None:
    """Nothing in recordings that were searched for secrets is taken for one."""
    if not folder.is_dir():
        pytest.skip("the shared recordings are not here")
    count = 0
    for file in sorted(folder.rglob("*.yaml")):
        try:
            exchanges = load_cassette(file).exchanges
        except CassetteError:
            continue
        for exchange in exchanges:
            count += 1
            request, response = exchange.request, exchange.response
            assert Secrets().find(request.uri.encode(), address=True) == []
            assert Secrets().find(request.body) == []
            assert Secrets().find_in_body(response.body) == []
    assert count > 20


VALUE = 'p"w/ü\\8+ <9&x'


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        quote(VALUE, safe=""),
        quote(VALUE),
        json.dumps(VALUE),
        json.dumps(VALUE, ensure_ascii=False),
        json.dumps({"arguments": json.dumps({"a": VALUE})}),
        json.dumps({"arguments": json.dumps({"a": json.dumps([VALUE], ensure_ascii=False)})}),
        json.dumps(VALUE).replace("/", "\\/").replace("<", "\\u003c").replace("&", "\\u0026"),
        base64.b64encode(VALUE.encode()).decode(),
        base64.b64encode(b"user:" + VALUE.encode() + b"!").decode(),
        base64.b64encode(b"x" + VALUE.encode()).decode(),
        base64.urlsafe_b64encode(b"xy" + VALUE.encode()).decode(),
    ],
)
def test_a_value_is_found_in_each_form(form: str) -> None:
    """As it is, in an address, in JSON at any depth and however it escapes, in base64 at any offset."""
    secrets = known_secrets({"SHOP_PASSWORD": VALUE})
    text = f"before {form} after".encode()
    found = secrets.find(text)
    assert [each.rule for each in found] == ["value of SHOP_PASSWORD"]
    assert secrets.find(replaced(text, found, keep_length=True)) == []
    assert len(replaced(text, found, keep_length=True)) == len(text)


@pytest.mark.parametrize(
    "form", ["a%62cd%2Def-gh", "abcd-ef-gh", "%61%62%63%64%2d%65%66%2d%67%68", "a%62cd-%65f-gh&b=%"]
)
def test_an_address_may_escape_what_it_likes(form: str) -> None:
    """Clients differ in what they escape."""
    secrets = known_secrets({"MY_TOKEN": "abcd-ef-gh"})
    assert secrets.mask(f"https://x/{form}".encode(), address=True).startswith(b"https://x/*masked*")


@pytest.mark.parametrize(
    ("name", "value", "counts"),
    [
        ("MY_API_KEY", "correcthorse", True),
        ("DB_PASSWORD", "correcthorse", True),
        ("GITHUB_TOKEN", "correcthorse", True),
        ("STRIPE_SECRET_V2", "correcthorse", True),
        ("APIKEY", "correcthorse", True),
        ("OPENAI_API_KEYS", "other,correcthorse", True),
        ("DATABASE_URL", "postgres://me:correcthorse@db/x", True),
        ("DB_PASSWORD", "test", False),
        ("DB_PASSWORD", "Password", False),
        ("DB_PASSWORD", "xxxxxxxxxxxx", False),
        ("MAX_TOKENS", "correcthorse", False),
        ("TOKEN_URL", "correcthorse", False),
        ("KEY_FILE", "correcthorse", False),
        ("PWD", "/correcthorse", False),
        ("EDITOR", "correcthorse", False),
        ("AUTH_SERVER", "https://correcthorse/", False),
        ("SENTRY_DSN", "https://correcthorse@x/1", True),
        ("APP_SECRET", "assistant", False),
        ("APP_SECRET", "/" + "correcthorse" * 30, True),
        ("SSH_AUTH_KEY", str(ROOT), False),
    ],
)
def test_which_variables_are_secret(name: str, value: str, counts: bool) -> None:
    """By name; but for short values, common words, paths, and what only speaks of a secret."""
    assert bool(known_secrets({name: value}).find(b"say correcthorse " + value.encode())) == counts


def test_a_project_names_further_secrets() -> None:
    """Variables by name, others by pattern."""
    declared = Redaction(variables=("CUSTOMER",), secrets=(r"TOP-\d{4}",))
    secrets = known_secrets({"CUSTOMER": "Ada Lovelace"}, declared)
    assert secrets.mask(b"Ada Lovelace has TOP-1234") == b"*masked* has *masked*"


def test_redacted_values_stay_apart() -> None:
    """The same pseudonym for the same value, another for another, and the rest as it was."""
    declared = Redaction(emails=True, patterns=(("customer", r"C-\d{3}"),), paths=("user.id", "items.*.name", "age"))
    secrets = Secrets(declared=declared)
    said = {"a": "ada@example.com, bob@example.com, ada@example.com, C-123", "user": {"id": "u7"}, "age": 42}
    body = json.dumps({**said, "items": [{"name": "Ada", "kind": "Ada"}]}).encode()
    masked = json.loads(secrets.mask(body))
    one, two, three, four = masked["a"].split(", ")
    assert one == three != two
    assert one.startswith("*email:")
    assert four.startswith("*customer:")
    assert masked["user"]["id"].startswith("*id:")
    assert masked["age"] == 99
    assert masked["items"][0]["kind"] == "Ada"
    assert masked["items"][0]["name"].startswith("*name:")
    assert secrets.mask(secrets.mask(body)) == secrets.mask(body)


PIECES = [
    "sk-",
    "sk-a",
    "eyJ",
    "eyJaaaaaaaaaaaa.",
    "AKIA",
    "://",
    "://a:",
    ":",
    "@",
    "a@",
    "a.",
    "a1",
    "a1@b.",
    "a1@b.c",
]
PIECES += ["\\", "\\u", "\\/", "api_key=", "&key=", "?key=", "[", '{"', "*", "**"]
PIECES += ["bearer ", "-----BEGIN PRIVATE KEY-----", "hooks.slack.com/services/", "secretkey", "*masked*", "a1a1eyJ:"]
ALL = Redaction(emails=True, paths=("a.b",), patterns=(("one", "a1"),))


@given(st.lists(st.sampled_from([*PIECES, *KEYS]), max_size=30), st.sampled_from(["", " "]))
def test_masking_twice_changes_nothing(pieces: list[str], between: str) -> None:
    """A masked text holds nothing to mask, and no key that stood there by itself."""
    secrets = known_secrets({"MY_TOKEN": "a1a1eyJ:"}, ALL)
    once = secrets.mask(between.join(pieces).encode())
    assert secrets.mask(once) == once
    assert not between or not any(key.encode() in once for key in KEYS)


WORDS = ["\n", "\t", "\\", '"', "/", "\u201c", "é", " ", "ada@example.com", "nabcdefgh", "n", PEM, PEM[:120], *KEYS]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join), st.booleans(), st.integers(0, 2))
def test_json_stays_json(text: str, ascii_only: bool, depth: int) -> None:
    """Whatever is masked, at whatever depth and however it was escaped; and no value is left."""
    secrets = known_secrets({"MY_TOKEN": "nabcdefgh"}, Redaction(emails=True))
    whole = text
    for _ in range(depth):
        whole = json.dumps({"in": whole}, ensure_ascii=ascii_only)
    body = json.dumps({"a": whole, "b": [1]}, ensure_ascii=ascii_only).encode()
    for masked in (secrets.mask(body), secrets.mask_body(body, [len(body)])[0]):
        said = json.loads(masked)
        assert said.keys() == {"a", "b"}
        assert "nabcdefgh" not in said["a"]


@pytest.mark.parametrize("piece", PIECES)
def test_hostile_text_is_read_in_one_go(piece: str) -> None:
    """200 kB of one beginning after the other: with work that grows by the square this test takes many minutes."""
    text = (piece * (200_000 // len(piece))).encode()
    secrets = Secrets(declared=ALL)
    found = secrets.find_in_body(text)
    assert all(one.spans[-1][1] <= other.spans[0][0] for one, other in pairwise(found))
