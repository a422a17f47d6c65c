"""What is no scenario is refused: at its place, in plain words, quickly, with all that is wrong."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import BadInputError, Fault
from harness.loading import load_scenario, load_scenarios
from harness.records.mock import Mock
from harness.records.scenario import EXPECTATIONS, OutputRule, ScenarioFile, Verdict
from harness.settings import Project

HEAD = "description: d\nsubject: desk\ninput: hello\n"
EXPECT = "expect:\n  - called: find_order\n"

BOMB = "a: &a [x, x]\nb: &b [*a, *a]\n" + HEAD + EXPECT

REFUSED = {
    "bad YAML": (HEAD + "expect:\n  - called: [find_order\n", "6:1: a `,` or `]` is missing before this place"),
    "tag": (f"{HEAD}{EXPECT}world: !!python/object/apply:os.system [ls]\n", "6:8: tags (`tag:yaml.org,2002:python"),
    "text tag": (f"description: !!str d\nsubject: desk\ninput: x\n{EXPECT}", "1:14: tags (`tag:yaml.org,2002:str`)"),
    "alias bomb": (BOMB, "1:4: anchors (`&a`) are not read"),
    "alias": (BOMB, "2:8: aliases (`*a`) are not read; write the value out, or quote the text"),
    "merge key": (f"{HEAD}{EXPECT}world:\n  <<: {{a: 1}}\n", "7:3: merge keys (`<<`) are not read; write the keys out"),
    "duplicate key": (f"{HEAD}input: again\n{EXPECT}", "4:1: key 'input' is here twice, first in line 3; keep one"),
    "unknown key": (f"{HEAD}{EXPECT}limts: {{}}\n", "6:1: unknown key 'limts'; did you mean 'limits'?"),
    "unknown key, nothing near": (f"{HEAD}{EXPECT}zzz: 1\n", "6:1: unknown key 'zzz'; known here: description, tags"),
    "unknown key of an expectation": (
        f"{HEAD}expect:\n  - called: f\n    argument: {{}}\n",
        "6:5: unknown key 'argument'; did you mean 'arguments'?",
    ),
    "unknown key of an output": (
        f"{HEAD}expect:\n  - output: {{contain: x}}\n",
        "5:14: unknown key 'contain'; did you mean 'contains'?",
    ),
    "unknown key of a judge": (
        f"{HEAD}expect:\n  - judge: {{rubric: r, at_least: 4 of 5, modle: m}}\n",
        "5:42: unknown key 'modle'; did you mean 'model'?",
    ),
    "unknown key of the limits": (
        f"{HEAD}limits: {{second: 1}}\n",
        "4:10: unknown key 'second'; did you mean 'seconds'?",
    ),
    "unknown key of a mock": (
        f"{HEAD}{EXPECT}mocks:\n  refund: {{return: 1}}\n",
        "7:12: unknown key 'return'; did you mean 'returns'?",
    ),
    "unknown key of a mock in a list": (
        f"{HEAD}{EXPECT}mocks:\n  refund:\n    - {{returns: 1, time: 2}}\n",
        "8:20: unknown key 'time'; did you mean 'times'?",
    ),
    "a mock that gives nothing": (
        f"{HEAD}{EXPECT}mocks:\n  refund: {{when: {{}}}}\n",
        "7:11: `mocks.refund`: a mock gives one thing; write `returns` or `raises`",
    ),
    "a mock that gives two things": (
        f"{HEAD}{EXPECT}mocks:\n  refund:\n    - {{returns: ~, raises: x}}\n",
        "8:7: `mocks.refund[0]`: a mock gives one thing; write `returns` or `raises`",
    ),
    "no mock": (f"{HEAD}{EXPECT}mocks: {{refund: []}}\n", "6:17: `mocks.refund` is too short: it needs 1 or more;"),
    "a mock without value": (f"{HEAD}{EXPECT}mocks: {{refund: }}\n", "6:9: `mocks.refund` has no value; write one"),
    "a mock that is text": (f"{HEAD}{EXPECT}mocks: {{refund: x}}\n", "6:17: `mocks.refund` must be a list, not 'x'"),
    "mocks of no name": (f"{HEAD}{EXPECT}mocks: {{'': {{returns: 1}}}}\n", "6:9: `mocks.` is empty; write text"),
    "mocks as a list": (f"{HEAD}{EXPECT}mocks: [refund]\n", "6:8: `mocks` must hold keys with values, not ['refund']"),
    "raises without words": (f"{HEAD}{EXPECT}mocks: {{f: {{raises: }}}}\n", "6:13: `mocks.f.raises` has no value;"),
    "a mock behind another": (
        f"{HEAD}{EXPECT}mocks:\n  refund: [{{raises: x}}, {{when: {{a: 1}}, returns: 2}}]\n",
        "7:11: `mocks.refund`: the second mock is never reached, because the first takes every call that fits it; put",
    ),
    "unknown expectation": (f"{HEAD}expect:\n  - outptu: x\n", "5:5: unknown key 'outptu'; did you mean 'output'?"),
    "no expectation at all": (f"{HEAD}expect: [find_order]\n", "4:10: this is no expectation; give it one of the keys"),
    "two expectations in one": (
        f"{HEAD}expect:\n  - called: f\n    not_called: g\n",
        "6:5: 'not_called' is an expectation of its own; begin it on a new line with `- not_called:`",
    ),
    "number for text": (
        f"description: 7\nsubject: desk\ninput: x\n{EXPECT}",
        "1:14: `description` must be text, not 7;",
    ),
    "boolean for text": (f"{HEAD}{EXPECT}skip: true\n", "6:7: `skip` must be text, not True;"),
    "text for number": (f'{HEAD}{EXPECT}trials: "3"\n', "6:9: `trials` must be a whole number, not '3'; write one"),
    "boolean for number": (f"{HEAD}{EXPECT}trials: true\n", "6:9: `trials` must be a whole number, not True"),
    "fraction for number": (f"{HEAD}{EXPECT}trials: 2.0\n", "6:9: `trials` must be a whole number, not 2.0"),
    "too small": (f"{HEAD}limits: {{tokens: 0}}\n", "4:18: `limits.tokens` must be at least 1, not 0; raise it"),
    "too large": (f"{HEAD}{EXPECT}trials: 1001\n", "6:9: `trials` must be at most 1000, not 1001; lower it"),
    "not above zero": (
        f"{HEAD}limits: {{seconds: 0}}\n",
        "4:19: `limits.seconds` must be more than 0, not 0; raise it",
    ),
    "text for list": (
        f"{HEAD}{EXPECT}tags: support\n",
        "6:7: `tags` must be a list, not 'support'; write `[one, two]`",
    ),
    "text for mapping": (f"{HEAD}{EXPECT}world: empty\n", "6:8: `world` must hold keys with values, not 'empty'"),
    "list for limits": (f"{HEAD}limits: [1]\n", "4:9: `limits` must hold keys with values, not [1]"),
    "list for the file": ("- a\n", "1:1: a scenario must hold keys with values, not ['a']"),
    "text for the file": ("hello\n", "1:1: a scenario must hold keys with values, not 'hello'"),
    "empty file": ("", "1:1: the file is empty"),
    "empty text": (f"{HEAD}expect:\n  - called: ''\n", "5:13: `expect[0].called` is empty; write text"),
    "too short": (f"{HEAD}expect:\n  - order: [a]\n", "5:12: `expect[0].order` is too short: it needs 2 or more"),
    "missing key": ("subject: desk\ninput: x\nlimits: {tokens: 1}\n", "1:1: `description` is missing; add it"),
    "missing key of a judge": (
        f"{HEAD}expect:\n  - judge: {{rubric: r}}\n",
        "5:12: `expect[0].judge.at_least` is missing; add it",
    ),
    "key without value": (f"{HEAD}{EXPECT}skip:\n", "6:1: `skip` has no value; write one, or remove the key"),
    "unknown key without value": (f"{HEAD}{EXPECT}skipp:\n", "6:1: unknown key 'skipp'; did you mean 'skip'?"),
    "null among tags": (f"{HEAD}{EXPECT}tags: [a, ~]\n", "6:11: `tags[1]` must be text, not None"),
    "no task": ("description: d\nsubject: desk\nlimits: {tokens: 1}\n", "1:1: there is no task; add `input:`"),
    "two tasks": (
        f"{HEAD}conversation: [a]\n{EXPECT}",
        "4:15: `conversation`: `conversation` and `input` exclude each other; keep one",
    ),
    "nothing expected": (HEAD, "1:1: nothing is expected, so it can't fail; add `expect:` or `limits:`"),
    "money as a number": (f"{HEAD}limits: {{cost_usd: 0.02}}\n", "4:20: `limits.cost_usd`: money is text, so that it"),
    "money in words": (
        f"{HEAD}limits: {{cost_usd: cheap}}\n",
        "4:20: `limits.cost_usd`: 'cheap' is no amount of money",
    ),
    "seconds as text": (f"{HEAD}limits: {{seconds: '2'}}\n", "4:19: `limits.seconds`: '2' is no number of seconds"),
    "bad pattern": (
        f"{HEAD}expect:\n  - output: {{matches: '(a'}}\n",
        "5:23: `expect[0].output.matches`: '(a' is no regular expression: missing )",
    ),
    "greedy pattern": (
        f"{HEAD}expect:\n  - output: {{matches: 'a{{1000000000}}'}}\n",
        "5:23: `expect[0].output.matches`: 'a{1000000000}' repeats more than 100000 times",
    ),
    "hidden greedy pattern": (
        f"{HEAD}expect:\n  - output: {{matches: '(?x)a{{10 000 000 000}}'}}\n",
        "5:23: `expect[0].output.matches`: '(?x)a{10 000 000 000}' turns on verbose mode",
    ),
    "empty part of a path": (
        f"{HEAD}expect:\n  - state: {{orders..total: 1}}\n",
        "5:13: `expect[0].state.orders..total`: 'orders..total' has an empty part",
    ),
    "marks out of reach": (
        f"{HEAD}expect:\n  - judge: {{rubric: r, at_least: 6 of 5}}\n",
        "5:34: `expect[0].judge.at_least`: '6 of 5' says nothing; write at least `1 of 5` and at most `5 of 5`",
    ),
    "marks as a number": (
        f"{HEAD}expect:\n  - judge: {{rubric: r, at_least: 4}}\n",
        "5:34: `expect[0].judge.at_least`: 4 is not of the form `4 of 5`; write it so",
    ),
    "pass in other words": (
        f"{HEAD}{EXPECT}pass: most\n",
        "6:7: `pass`: 'most' is no pass rule; write `all` or `2 of 3`",
    ),
    "pass against trials": (f"{HEAD}{EXPECT}pass: 2 of 3\n", "6:7: `pass`: `pass: 2 of 3` does not fit `trials: 1`"),
    "arguments twice": (
        f"{HEAD}expect:\n  - {{called: f, arguments: {{}}, exactly: {{}}}}\n",
        "5:41: `expect[0].exactly`: `exactly` (the whole) and `arguments` (a subset) exclude each other",
    ),
    "traversal in a name": (
        f"{HEAD}expect:\n  - judge: {{rubric: ../../etc/passwd, at_least: 4 of 5}}\n",
        "5:21: `expect[0].judge.rubric` can't be the name '../../etc/passwd'; use lower-case letters",
    ),
    "a name of its own": (f"{HEAD}{EXPECT}name: other\n", "6:1: unknown key 'name'; known here:"),
    "a number as key": (
        f"{HEAD}{EXPECT}world: {{orders: {{1042: x}}}}\n",
        '6:18: a key must be text; quote it: "1042"',
    ),
    "leading zero": (f"{HEAD}{EXPECT}world: {{id: 007}}\n", "6:13: 007 begins with a zero; quote it to mean text"),
    "no number in JSON": (f"{HEAD}{EXPECT}world: {{x: .inf}}\n", "6:12: .inf is no number in JSON; quote it"),
    "second document": (f"{HEAD}{EXPECT}---\n{HEAD}", "6:1: a second document begins; keep one in a file"),
    "NUL": (f"{HEAD}{EXPECT}skip: a\x00b\n", "6:8: holds the unreadable character U+0000"),
    "half a character": (f'{HEAD}{EXPECT}skip: "\\ud800"\n', "6:7: an escape stands for half a character"),
    "40,000 brackets": (HEAD + "world: " + "[" * 40_000, "4:58: nests deeper than 50 levels; make it flatter"),
    "40,000 dashes": ("- " * 40_000, "1:101: nests deeper than 50 levels; make it flatter"),
    "900 indentations": ("\n".join(" " * depth + "-" for depth in range(900)), "51:51: nests deeper than 50 levels"),
    "a million characters in quotes": ('"' + "a" * 999_000, "1:1: this quote is never closed; close it"),
    "100,000 values": ("\n\n\nworld: [" + "1," * 100_000 + "]", "4:40007: the file holds more than 20000 values"),
}


def load(project: Project, text: str | bytes) -> str:
    """The message with which a file is refused."""
    file = project.scenarios / "x.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInputError) as caught:
        load_scenario(project, file)
    return str(caught.value)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_at_its_place(project: Project, case: str) -> None:
    """Each fault names file, line and column, what is wrong and what to do; hostile files are refused at once."""
    text, words = REFUSED[case]
    began = time.thread_time()
    message = load(project, text)
    assert time.thread_time() - began < 1.5
    assert f"scenarios/x.yaml:{words}" in message
    assert "Traceback" not in message


JARGON = ("extra_forbidden", "model_type", "Input should be", "pydantic", "Value error", "ctx", "JsonValue", "docs/")


@pytest.mark.parametrize("case", REFUSED)
def test_messages_are_plain(project: Project, case: str) -> None:
    """Each line says what to do, in one line, without the validator's own words."""
    for line in load(project, REFUSED[case][0]).splitlines():
        assert not any(word in line for word in JARGON)
        assert line.startswith("scenarios/x.yaml:")
        assert "; " in line


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (HEAD.encode() + b"skip: M\xfcller\n", "scenarios/x.yaml:4:8: is not UTF-8; save it as UTF-8"),
        (HEAD.encode("utf-16"), "scenarios/x.yaml:1:1: is not UTF-8; save it as UTF-8"),
        (b"#" * 1_000_001, "scenarios/x.yaml: has 1000001 bytes; split it below 1000000"),
    ],
)
def test_bytes_that_are_no_text(project: Project, raw: bytes, words: str) -> None:
    """Another encoding and a huge file are refused before anything is parsed."""
    assert load(project, raw) == words


def test_all_faults_of_all_files_at_once(project: Project) -> None:
    """One run shows everything: several faults of a file, of a document and of its content, and of several files."""
    (project.scenarios / "a.yaml").write_text(
        "description: &x d\ninput: 3\ntrials: '3'\nexpect: [{called: f, tmes: 1}]\n"
    )
    (project.scenarios / "b.yaml").write_text("description: [\n")
    (project.scenarios / "c d.yaml").write_text("")
    with pytest.raises(BadInputError) as caught:
        load_scenarios(project)
    assert [str(fault).partition(";")[0] for fault in caught.value.faults] == [
        "scenarios/a.yaml:1:1: `subject` is missing",
        "scenarios/a.yaml:1:14: anchors (`&x`) are not read",
        "scenarios/a.yaml:2:8: `input` must be text, not 3",
        "scenarios/a.yaml:3:9: `trials` must be a whole number, not '3'",
        "scenarios/a.yaml:4:22: unknown key 'tmes'",
        "scenarios/b.yaml:2:1: a value is missing before this place",
        "scenarios/c d.yaml: 'c d' is no part of a name",
    ]


def test_a_value_with_a_fault_is_not_faulted_twice(project: Project) -> None:
    """What an unreadable value would have been is not guessed at."""
    message = load(project, f"description: *nothing\nsubject: desk\ninput: 007\n{EXPECT}")
    assert [line.split(": ")[0] for line in message.splitlines()] == ["scenarios/x.yaml:1:14", "scenarios/x.yaml:3:8"]


SYNTAX = ["limits:", "  tokens: 1", "- {", "tags: [", "]", "'", "? a", "|", "%YAML", "!", "&a", "*a"]
LINES = st.lists(
    st.sampled_from([*HEAD.splitlines(), *EXPECT.splitlines(), *SYNTAX]) | st.text(max_size=30), max_size=12
)
ANY_PROJECT = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def faults_of(project: Project, raw: bytes) -> tuple[Fault, ...]:
    """What is wrong with a file; nothing where it loads."""
    file = project.scenarios / "x.yaml"
    file.write_bytes(raw)
    try:
        load_scenario(project, file)
    except BadInputError as error:
        return error.faults
    return ()


@pytest.mark.exhaustive
@given(lines=LINES, between=st.sampled_from(["\n", " "]))
@settings(ANY_PROJECT, max_examples=300)
def test_any_text_loads_or_is_refused(project: Project, lines: list[str], between: str) -> None:
    """Whatever a file holds, it is a scenario or bad input, and nothing else is raised."""
    for fault in faults_of(project, between.join(lines).encode()):
        assert fault.path == "scenarios/x.yaml"
        assert fault.line
        assert "; " in fault.what


@given(raw=st.binary(max_size=60))
@settings(ANY_PROJECT, max_examples=200)
def test_any_bytes_load_or_are_refused(project: Project, raw: bytes) -> None:
    """No few bytes are a scenario, and all are refused in good order."""
    assert faults_of(project, raw)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | FLOATS | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
INNER = sorted({name for record in (*EXPECTATIONS.values(), Mock, OutputRule, Verdict) for name in record.model_fields})
KEYS = sorted(field.alias or name for name, field in ScenarioFile.model_fields.items())
SHAPES = st.dictionaries(st.sampled_from(INNER), VALUES | st.dictionaries(st.sampled_from(INNER), VALUES))


@pytest.mark.exhaustive
@given(data=st.dictionaries(st.sampled_from(KEYS), VALUES | SHAPES | st.lists(SHAPES)))
@settings(ANY_PROJECT, max_examples=100)
def test_any_data_is_explained_in_our_words(project: Project, data: dict[str, object]) -> None:
    """There is a wording for whatever the validator can find; the last resort is never needed."""
    for fault in faults_of(project, json.dumps(data, ensure_ascii=False).encode()):
        assert "see docs" not in fault.what
        assert fault.line
        assert fault.column
