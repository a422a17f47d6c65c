"""The report in a real browser, opened from disk."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.reporting.conftest import DESKTOP, PHONE, Open
from tests.reporting.desk import desk_results, gather, passed_case

TRIAL = "#trial=support/two-refunds/2"


def is_on_first_screen(locator: Locator, size: tuple[int, int]) -> bool:
    """Whether all of it is inside the window, without scrolling."""
    box = locator.bounding_box()
    assert box is not None
    right, bottom = box["x"] + box["width"], box["y"] + box["height"]
    return box["x"] >= 0 and box["y"] >= 0 and right <= size[0] and bottom <= size[1]


def open_trial(page: Page) -> Locator:
    """The sheet of the trial that is open."""
    return page.locator("dialog[open]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_what_regressed_is_visible_with_its_reason_without_scrolling(
    open_report: Open, size: tuple[int, int], scheme: str
) -> None:
    """The verdict, the regressed case and its reason stand on the first screen, on a desk and on a phone."""
    page = open_report(size=size, scheme=scheme)
    group = page.get_by_role("region", name="Regressed")
    assert is_on_first_screen(page.get_by_role("heading", level=1), size)
    assert is_on_first_screen(group.get_by_role("link", name="support/two-refunds"), size)
    assert is_on_first_screen(group.get_by_text('refund(order_id="1042") instead of'), size)
    assert page.title().startswith("1 of 27 cases regressed, 1 failed")


def test_a_case_far_down_is_not_on_the_first_screen(open_report: Open) -> None:
    """The measure of the test above can fail."""
    page = open_report()
    assert not is_on_first_screen(page.locator("#list").get_by_role("link", name="support/plain-0014"), DESKTOP)


@pytest.mark.parametrize("address", ["", TRIAL, "#trial=support/late-refund/1", "#trial=support/unknown-order/1"])
def test_nothing_is_wider_than_a_phone(open_report: Open, address: str) -> None:
    """Neither the lists nor an opened trial scroll sideways at 390 pixels."""
    page = open_report(address=address, size=PHONE)
    if address:
        expect(open_trial(page)).to_be_visible()
    for selector in ("html", "dialog"):
        assert page.locator(selector).evaluate("node => node.scrollWidth - node.clientWidth") == 0


def test_colours_follow_the_system(open_report: Open) -> None:
    """Dark where the system is dark."""
    background = "node => getComputedStyle(node).backgroundColor"
    light, dark = (open_report(scheme=scheme).locator("body").evaluate(background) for scheme in ("light", "dark"))
    assert light == "rgb(246, 247, 249)"
    assert dark == "rgb(20, 23, 28)"


def test_without_scripts_the_verdict_and_what_needs_action_can_be_read(open_report: Open) -> None:
    """The worst rows stand in the page itself; nothing that needs the script pretends to work."""
    page = open_report(scripts=False)
    expect(page.get_by_role("heading", level=1)).to_contain_text("1 of 27 cases regressed")
    expect(page.get_by_role("region", name="Regressed")).to_contain_text("3/3 → 1/3 turn 2: refund")
    expect(page.get_by_role("region", name="Failed")).to_contain_text("KeyError: '9999'")
    expect(page.get_by_role("region", name="Stale")).to_contain_text("harness record scenarios/support/gift-card.yaml")
    expect(page.get_by_text("need JavaScript")).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)


def test_a_trial_opens_from_its_address_and_shows_all_that_happened(open_report: Open) -> None:
    """Scores with evidence, the first difference, both sides of the baseline, the conversation with its figures."""
    page = open_report(address=TRIAL)
    trial = open_trial(page)
    expect(trial.get_by_role("heading", level=2)).to_contain_text("support/two-refunds")
    for text in (
        "trial 2 of 3",
        "no call has order_id=1043",
        'refund({"order_id": "1042"}), twice',
        "baseline: passed, 5",
        "Model call 3: tool result of `refund` differs",
        "refund is called with other arguments",
        "Both lamps arrived broken.",
        "3 model calls · 4 tool calls · 1,470 → 102 tokens · $0.0012 · 4.2 s",
        "gpt-5-mini · 400 → 24 tokens · $0.00041 · 1.2 s",
    ):
        expect(trial.get_by_text(text).filter(visible=True).first).to_be_visible()
    expect(trial.locator(".old del", has_text=re.compile("^1043$"))).to_be_visible()
    expect(trial.locator(".new ins", has_text=re.compile("^1042$"))).to_be_visible()
    prompt = trial.get_by_text("Never promise what policy does not allow.")
    expect(prompt.last).to_be_hidden()
    trial.get_by_text("Show the system prompt").last.click()
    expect(prompt.last).to_be_visible()


def test_a_stale_trial_shows_both_texts_and_the_command(open_report: Open) -> None:
    """The changed line is marked on both sides; lines far from it are folded."""
    trial = open_trial(open_report(address="#trial=support/late-refund/1"))
    expect(trial.locator(".old del")).to_have_text("30")
    expect(trial.locator(".new ins")).to_have_text("14")
    expect(trial.locator("code", has_text="harness record scenarios/support/late-refund.yaml")).to_be_visible()
    expect(trial.locator(".skipped").first).to_have_text("1 equal line")


def test_a_trial_that_never_ran_says_so(open_report: Open) -> None:
    """No conversation, no figures, and no zero in their place."""
    trial = open_trial(open_report(address="#trial=support/angry-customer/1"))
    expect(trial).to_contain_text("The agent never ran.")
    assert "0 tokens" not in trial.inner_text()
    assert "$0" not in trial.inner_text()


def test_the_keyboard_alone_walks_the_report(open_report: Open) -> None:
    """Tab, Enter, j, k, the arrows and Escape: open, go on, go back, close, and be where one was."""
    page = open_report()
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="Regressed").get_by_role("link", name="support/two-refunds")).to_be_focused()
    page.keyboard.press("j")
    expect(page.get_by_role("region", name="Failed").get_by_role("link", name="support/unknown-order")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    heading = open_trial(page).get_by_role("heading", level=2)
    expect(heading).to_contain_text("trial 2 of 3")
    expect(heading).to_be_focused()
    page.keyboard.press("j")
    expect(heading).to_contain_text("trial 3 of 3")
    page.keyboard.press("ArrowRight")
    expect(heading).to_contain_text("support/unknown-order")
    page.keyboard.press("ArrowLeft")
    expect(heading).to_contain_text("trial 3 of 3")
    assert page.url.endswith("#trial=support/two-refunds/3")
    page.keyboard.press("Escape")
    expect(open_trial(page)).to_have_count(0)
    expect(page.get_by_role("region", name="Regressed").get_by_role("link", name="support/two-refunds")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()


def test_filters_narrow_the_list_and_stay_in_the_address(open_report: Open) -> None:
    """Text, outcome and tag work together, and the address alone brings the same list back."""
    page = open_report()
    links = page.locator("#list a.open")
    page.get_by_role("button", name="stale").click()
    expect(links).to_have_text(["support/gift-card", "support/late-refund", "support/policy-in-words"])
    page.get_by_role("searchbox").fill('!gift "late-ref"')
    expect(links).to_have_text(["support/late-refund"])
    expect(page.get_by_role("status")).to_have_text("1 of 27 cases")
    address = "#" + page.url.partition("#")[2]
    again = open_report(address=address)
    expect(again.locator("#list a.open")).to_have_text(["support/late-refund"])
    expect(again.get_by_role("button", name="stale")).to_have_attribute("aria-pressed", "true")
    expect(again.get_by_role("searchbox")).to_have_value('!gift "late-ref"')
    again.get_by_role("button", name="stale").click()
    again.get_by_role("searchbox").fill("")
    again.get_by_role("combobox").select_option("refunds")
    expect(again.locator("#list a.open")).to_have_text(["support/two-refunds"])


def test_next_stays_inside_the_filtered_list(open_report: Open) -> None:
    """A reader who filters walks only what is left, and the last has no next."""
    page = open_report(address="#is=stale&trial=support/late-refund/1")
    heading = open_trial(page).get_by_role("heading", level=2)
    expect(heading).to_contain_text("support/late-refund")
    page.keyboard.press("j")
    expect(heading).to_contain_text("support/policy-in-words")
    expect(page.get_by_role("button", name="Next")).to_be_disabled()


def test_the_browsers_back_button_closes_a_trial(open_report: Open) -> None:
    """Opening is a step in the history."""
    page = open_report()
    page.get_by_role("region", name="Failed").get_by_role("link", name="support/unknown-order").click()
    expect(open_trial(page)).to_be_visible()
    page.go_back()
    expect(open_trial(page)).to_have_count(0)


def test_an_address_of_no_trial_says_so(open_report: Open) -> None:
    """An old link does not fail silently."""
    page = open_report(address="#trial=support/gone/1")
    expect(page.get_by_role("status")).to_have_text("This report has no trial support/gone/1.")


def test_the_record_command_can_be_copied(open_report: Open) -> None:
    """Copying puts the exact command on the clipboard."""
    page = open_report()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    button = page.get_by_role("region", name="Unrecorded").get_by_role("button")
    button.click()
    expect(button).to_contain_text("Copied")
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied == "harness record scenarios/support/address-change.yaml"


def test_a_thousand_cases_open_with_a_light_page(open_report: Open) -> None:
    """Rows come as they are scrolled to, filters see all of them, and any trial opens."""
    page = open_report(desk_results(1_000))
    assert page.locator("*").count() < 4_000
    expect(page.get_by_role("status")).to_have_text("1,013 cases")
    page.get_by_role("searchbox").fill("plain-0999")
    expect(page.locator("#list a.open")).to_have_count(1)
    page.locator("#list a.open").click()
    expect(open_trial(page)).to_contain_text("support/plain-0999")
    expect(open_trial(page)).to_contain_text("I want my money back for order 1042.")


def test_a_green_run_says_so_and_asks_for_nothing(open_report: Open) -> None:
    """No group stands above the list when nothing needs action."""
    page = open_report(gather([passed_case("support/refund-outside-window")]))
    expect(page.get_by_role("heading", level=1)).to_have_text("The only case passed")
    expect(page.locator(".group")).to_have_count(0)
