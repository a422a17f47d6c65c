"""The page as a file: what it promises before a browser opens it."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib

from harness.reporting import render_html
from harness.reporting.detail import build_details
from harness.reporting.standing import list_entries
from tests.reporting.desk import FACTS, desk_results


def test_the_same_results_give_the_same_bytes() -> None:
    """Nothing of the wall is in the page."""
    assert render_html(desk_results(), FACTS) == render_html(desk_results(), FACTS)


def test_the_policy_names_exactly_the_inline_style_and_script() -> None:
    """The hashes are those of the text between the tags, and everything else is refused."""
    text = render_html(desk_results(), FACTS)
    policy = html.unescape(re.findall(r'Content-Security-Policy" content="([^"]+)"', text)[0])
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for name, (inline,) in (("style-src", style), ("script-src", scripts)):
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}';" in policy


def test_every_trial_stands_in_the_block_that_the_index_names() -> None:
    """The blocks hold the trials in the order of the rows, cut where the index says."""
    results = desk_results(600)
    text = render_html(results, FACTS)
    index = json.loads(re.findall(r'id="index">(.*?)</script>', text, re.DOTALL)[0])
    blocks = [
        json.loads(zlib.decompress(base64.b64decode(block)))
        for block in re.findall(r'type="text/plain" id="block-\d+">(.*?)</script>', text)
    ]
    packed = [(trial["case"], trial["trial"]) for block in blocks for trial in block]
    assert packed == [(row["id"], trial) for row in index["rows"] for trial in row.get("trials", [])]
    starts = [sum(map(len, blocks[:number])) for number in range(len(blocks))]
    assert index["blocks"] == starts
    assert len(blocks) > 1
    assert len(packed) == len(results.trials)


def test_an_unknown_cost_is_called_unknown() -> None:
    """A trial of which one call has no price never shows the sum of the others."""
    results = desk_results(1)
    trial = results.trials[-1]
    assert trial.trace is not None
    nameless = trial.model_copy(update={"trace": trial.trace.model_copy(update={"cost_usd": None})})
    changed = results.model_copy(update={"trials": (*results.trials[:-1], nameless)})
    known, unknown = (
        {detail.case: detail.facts for detail in build_details(list_entries(one))} for one in (results, changed)
    )
    assert "unknown cost" in unknown[trial.scenario]
    assert "unknown cost" not in known[trial.scenario]
    assert "and 1 of 7 trials unknown" in render_html(changed, None)
    assert "trials unknown" not in render_html(results, None)


def test_facts_may_be_missing() -> None:
    """A report that is rendered again from results alone says nothing of when and where."""
    assert "mode replay" in render_html(desk_results(1), FACTS)
    assert "mode replay" not in render_html(desk_results(1), None)
