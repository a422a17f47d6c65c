"""What is secret is masked at the other doors to the disk: a user's own tests, and imported cassettes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from tests.cassettes.conftest import server
from tests.project import MiniProject
from tests.secrets.test_scan import KEY, cassette

__all__ = ["server"]

SETTINGS = """\
[tool.harness.redact]
emails = true
[tool.pytest.ini_options]
asyncio_default_fixture_loop_scope = 'function'
"""
TEST = """\
import os

import httpx2
import pytest


@pytest.mark.vcr
def test_it():
    said = {"token": os.environ["SHOP_TOKEN"], "mail": "canary@example.com"}
    assert httpx2.post(os.environ["URL"] + "/said", json=said).json()["n"] == 1
"""


def test_a_test_of_the_users_own(tmp_path: Path, server: Any) -> None:
    """Its recording holds neither the value nor the address, and answers another value."""
    project = MiniProject(tmp_path).write({"pyproject.toml": SETTINGS, "test_it.py": TEST})
    recorded = project.pytest("-q", "--record-mode", "once", URL=server.url, SHOP_TOKEN="canary-token-1")
    assert recorded.code == 0, recorded.text
    kept = (tmp_path / "cassettes/test_it/test_it.yaml").read_text(encoding="utf-8")
    assert "canary" not in kept
    assert "*masked*" in kept
    assert "*email:" in kept
    assert project.pytest("-q", URL=server.url, SHOP_TOKEN="another-value").code == 0
    assert server.count == 1


def test_an_imported_cassette(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another tool left in it is masked on the way in."""
    monkeypatch.chdir(tmp_path)
    text = cassette(f"{KEY} canary@example.com", authorization="Bearer canary-token-1", cookie="a=canary-cookie-12")
    MiniProject(tmp_path).write({"pyproject.toml": SETTINGS, "theirs/a.yaml": text})
    assert main(["import", "theirs", "--out", "ours"]) == 0
    kept = (tmp_path / "ours/a.yaml").read_text(encoding="utf-8")
    assert "canary" not in kept
    assert KEY not in kept
    assert main(["scan", "ours"]) == 0
