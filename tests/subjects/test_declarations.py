"""What conftest may say of programs and servers, and how it is told of what it may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.errors import RegistryError
from harness.registry import Command, Registry, command, endpoint, subject


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda new: command("a", "node agent.js", registry=new), "'node agent.js' is no list of arguments"),
        (lambda new: command("a", [], registry=new), r"\[\] is no list of arguments"),
        (
            lambda new: command("a", ["a"], base_urls={"A": "api.a"}, registry=new),
            "base_urls has 'A': 'api.a'; it needs",
        ),
        (lambda new: command("a", ["a"], base_urls={"A/B": "https://a"}, registry=new), "base_urls has 'A/B'"),
        (lambda new: endpoint("a", ["a"], path="chat", registry=new), "path = 'chat' is no path; begin it with /"),
        (lambda new: endpoint("a", ["a"], ready="health", registry=new), "ready = 'health' is no path"),
        (lambda new: subject("a", registry=new)(type("Desk", (), {})), r"class Desk has no method answer\(task\)"),
    ],
)
def test_what_can_not_be_used_is_refused(declare: Callable[[Registry], Any], message: str) -> None:
    """The error names the subject and what to write."""
    new = Registry()
    with pytest.raises(RegistryError, match=message):
        declare(new)
    assert new.subjects == {}


def test_programs_have_no_tools() -> None:
    """Their tools run in them, so there is nothing to bind."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'tools'"):
        command("a", ["a"], tools=[print])  # type: ignore[call-arg]


def test_a_name_is_declared_once() -> None:
    """Two places may not declare one name; the same place may again, as where a conftest is loaded twice."""
    new = Registry()
    for program in ("first", "second"):
        command("cli", [program], registry=new)
    agent = new.find_subject("cli").agent
    assert isinstance(agent, Command)
    assert agent.argv == ("second",)
    with pytest.raises(RegistryError, match=r"'cli' is registered twice: by .*test_declarations\.py:\d+ and .*:\d+;"):
        endpoint("cli", ["third"], registry=new)
