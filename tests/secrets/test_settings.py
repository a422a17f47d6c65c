"""What a project declares secret is read, and what is wrong with it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.records.redaction import Redaction
from harness.settings import load_project


def load(folder: Path, text: str) -> Redaction:
    """What the settings say."""
    (folder / "pyproject.toml").write_text(f"[tool.harness]\n{text}\n", encoding="utf-8")
    return load_project(folder, {}).redaction


def test_what_is_declared(tmp_path: Path) -> None:
    """Names in capitals are variables, anything else is a pattern."""
    text = 'secrets = ["CODE", "AB-[0-9]{4}"]\nredact = {emails = true, paths = ["a.*"], patterns = {pin = "1+"}}'
    assert load(tmp_path, text) == Redaction(("CODE",), ("AB-[0-9]{4}",), (("pin", "1+"),), ("a.*",), True)
    assert load(tmp_path, "") == Redaction()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("secrets = 'CODE'", "secrets must be a list"),
        ("secrets = ['(']", "no regular expression"),
        ("redact = true", "redact takes emails"),
        ("redact = {mails = true}", "redact takes emails"),
        ("redact = {emails = 'yes'}", "emails = 'yes' must be true or false"),
        ("redact = {paths = 'a'}", "must be a list of dotted paths"),
        ("redact = {patterns = ['a']}", "must be a table of patterns"),
        ("redact = {patterns = {'A b' = 'a'}}", "must be a table of patterns"),
        ("redact = {patterns = {a = 'a{100000}{100000}'}}", "lower the counts"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, what: str) -> None:
    """Each fault with the setting that it is about."""
    with pytest.raises(BadInputError, match=r"pyproject.toml: \[tool.harness\]") as caught:
        load(tmp_path, text)
    assert what in str(caught.value)
