"""``-k`` and ``-m`` mean what they mean in pytest."""

from __future__ import annotations

import pytest

from harness.errors import BadInputError
from harness.loading import select
from harness.records.scenario import Case, Scenario


def make_case(name: str, *tags: str) -> Case:
    """A case of a scenario."""
    content = {"description": "d", "subject": "s", "input": "i", "limits": {"tokens": 1}, "tags": tags}
    return Case(scenario=Scenario.model_validate({**content, "name": name, "source": f"scenarios/{name}.yaml"}))


CASES = (
    make_case("support/refund", "support", "policy"),
    make_case("support/thanks", "support"),
    make_case("research/fee"),
)
REFUND, THANKS, FEE = CASES


@pytest.mark.parametrize(
    ("keyword", "tag", "chosen"),
    [
        (None, None, CASES),
        ("", " ", CASES),
        ("refund", None, (REFUND,)),
        ("REFUND", None, (REFUND,)),
        ("support/refund", None, (REFUND,)),
        ("policy", None, (REFUND,)),
        ("support and not refund", None, (THANKS,)),
        ("refund or fee", None, (REFUND, FEE)),
        ("not (refund or fee)", None, (THANKS,)),
        ("none-of-these", None, ()),
        (None, "support", (REFUND, THANKS)),
        (None, "SUPPORT", ()),
        (None, "supp", ()),
        (None, "support and not policy", (THANKS,)),
        (None, "not support", (FEE,)),
        ("thanks", "policy", ()),
        ("support", "policy", (REFUND,)),
    ],
)
def test_selection(keyword: str | None, tag: str | None, chosen: tuple[Case, ...]) -> None:
    """A keyword finds parts of the id and of tags in any case, a tag is whole; both must fit."""
    assert select(CASES, keyword=keyword, tag=tag) == chosen


@pytest.mark.parametrize("option", ["-k", "-m"])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("refund fee", "expected end of input; got identifier at column 8 of 'refund fee'; write words joined by"),
        ("and", "at column 1 of 'and'"),
        ("(refund", "at column 8 of '(refund'"),
        ("a@b", 'unexpected character "@" at column 2'),
        ("refund(x=1)", "'refund' takes no arguments in 'refund(x=1)'"),
    ],
)
def test_what_is_no_expression(option: str, text: str, words: str) -> None:
    """A broken expression is bad input and says where it breaks."""
    keyword, tag = (text, None) if option == "-k" else (None, text)
    with pytest.raises(BadInputError) as caught:
        select(CASES, keyword=keyword, tag=tag)
    assert str(caught.value).startswith(f"{option}: ")
    assert words in str(caught.value)
