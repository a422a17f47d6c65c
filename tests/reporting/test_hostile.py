"""Text from scenarios, models and tools is shown as text, in every output."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Browser, expect

from harness.reporting import render_conversation, render_html, render_junit, render_lines, render_markdown
from tests.reporting.conftest import Open
from tests.reporting.hostile import ATTACK, hostile_results


@pytest.mark.parametrize("scripts", [True, False])
def test_nothing_that_was_recorded_runs(open_report: Open, scripts: bool) -> None:
    """A name, a description, a tag, a reply and a tool result made of markup appear as written and run nothing."""
    page = open_report(hostile_results(), scripts=scripts)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 1 case regressed")
    expect(page.get_by_role("region", name="Regressed")).to_contain_text("<img src=x onerror=alert(1)>")
    expect(page.get_by_role("region", name="Regressed")).to_contain_text("{{7*7}}{% raw %}${7*7}")
    assert page.title() == "1 of 1 case regressed"
    if scripts:
        page.get_by_role("region", name="Regressed").locator("a.open").click()
        trial = page.locator("dialog[open]")
        expect(trial.locator(".step.model")).to_contain_text("</script><script>document.title='owned'</script>")
        expect(trial.locator(".step.tool").last).to_contain_text("<img src=x onerror=")
        assert page.title() == "1 of 1 case regressed"
    assert page.locator("img, iframe, object, svg").count() == 0
    assert page.locator("script").count() == 3  # the index, one block, our own


def test_the_pages_policy_blocks_what_is_not_ours(browser: Browser, tmp_path: Path) -> None:
    """Even a script that got into the page would not run."""
    file = tmp_path / "index.html"
    file.write_text(render_html(hostile_results(), None), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    blocked = page.evaluate(
        """() => new Promise((resolve) => {
            const found = [];
            document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
            setTimeout(() => resolve(found), 200);
        })"""
    )
    assert blocked == ["script-src-elem"]
    assert page.title() == "1 of 1 case regressed"


def test_the_page_holds_no_foreign_markup() -> None:
    """What comes from records never opens or ends an element."""
    text = render_html(hostile_results(), None)
    assert "<img" not in text
    assert text.count("<script") == text.count("</script>") == 3
    assert "49" not in text.partition("<style>")[0]


def test_junit_stays_well_formed() -> None:
    """A parser reads it back, without the characters that XML 1.0 forbids."""
    root = ET.fromstring(render_junit(hostile_results()))
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.startswith("regressed: </script><script>")
    assert not set("\x00\x1b\x08\x0b\x0c\ufffe\uffff") & set("".join(root.itertext()))


def test_terminals_are_not_steered() -> None:
    """No escape sequence, control or direction character of a record reaches a terminal."""
    results = hostile_results()
    trace = results.trials[0].trace
    assert trace is not None
    lines = "\n".join("".join(text for _, text in line) for line in render_lines(results))
    for text in (lines, render_conversation(trace.events)):
        assert not set("\x00\x1b\x07\x08\x0b\x0c\r\u202e\u2028\u2029") & set(text)
        assert "document.title" in text


def test_markdown_reads_no_markup_from_records() -> None:
    """Parsed as GitHub parses it, all text from records is code and the table keeps its shape."""
    markdown_it = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    text = render_markdown(hostile_results())
    tokens = markdown_it.MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    inline = [child for token in tokens if token.type == "inline" for child in token.children or ()]
    assert {token.type for token in tokens} >= {"table_open", "bullet_list_open"}
    assert {child.type for child in inline} <= {"text", "code_inline", "strong_open", "strong_close"}
    assert not any("script" in child.content for child in inline if child.type == "text")
    assert any(ATTACK[:20] in child.content for child in inline if child.type == "code_inline")
    assert not any(token.type.startswith("html") for token in tokens)
