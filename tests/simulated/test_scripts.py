"""Script files: what is read, and what is refused with its place."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import BadInputError
from harness.providers.simulated import load_script, load_scripts

GOOD = """\
match: {user: order 1042, system: desk, model: gpt-5-mini}
rules:
  - when: {turn: 1, user: 1042x, said: hi, tool: find, result: "56"}
    say: [one, two]
    call: [{tool: find, arguments: {day: 2026-03-01, sure: yes, n: 3}}, {tool: raw, arguments: "{"}]
    slow: {head_ms: 10, chunk_ms: 1.5}
    usage: {input_tokens: 3}
    cut: {after_chunks: 2, times: 1}
  - {json: {mark: 4}}
  - {json: [{mark: 4}, {mark: 5}], stop: length}
  - {fail: {status: 529, retry_after: 0.2, times: 1, message: m, code: c}}
  - drop: true
  - drop: {times: 2}
"""

HEAD = "match: {user: a}\nrules:\n"
BAD = {
    "unknown key": (f"{HEAD}  - sya: hello\n", r":3:5: unknown key 'sya'; did you mean 'say'\?"),
    "unknown inner key": (f"{HEAD}  - {{fail: {{status: 429, tims: 1}}}}\n", r":3:26: unknown key 'tims'.*'times'"),
    "unknown top key": ("match: {user: a}\nrulez: []\n", r":2:1: unknown key 'rulez'; did you mean 'rules'\?"),
    "missing key": ("match: {user: a}\n", r":1:1: rules: is missing; add it"),
    "no condition": ("match: {}\nrules: [{say: x}]\n", r":1:1: match: one of user, system or model must be given"),
    "number for text": ("match: {user: 1042}\nrules: [{say: x}]\n", r":1:9: match.user: .*quotes, got 1042"),
    "empty text": (f"{HEAD}  - say: ''\n", r":3:5: rules.0.say.*: is empty; write a text"),
    "two answers": (f"{HEAD}  - {{say: x, json: {{}}}}\n", r":3:5: rules.0: .*this one has say and json"),
    "no answer": (f"{HEAD}  - when: {{turn: 1}}\n", r":3:5: rules.0: .*this one has no answer"),
    "fail with slow": (f"{HEAD}  - {{fail: {{status: 429}}, slow: {{}}}}\n", "only `when` stands beside fail"),
    "refusal without words": (f"{HEAD}  - {{json: {{}}, stop: refusal}}\n", "a refusal needs `say`"),
    "unknown status": (f"{HEAD}  - fail: {{status: 418}}\n", r":3:12: rules.0.fail.status: .*, got 418"),
    "turn from one": (f"{HEAD}  - {{when: {{turn: 0}}, say: x}}\n", r":3:13: rules.0.when.turn: .*, got 0"),
    "list of arguments": (f"{HEAD}  - call: [{{tool: f, arguments: [1]}}]\n", r":3:22: .*: arguments are a mapping"),
    "no rules": ("match: {user: a}\nrules: []\n", r":2:1: rules: is empty; add a rule"),
    "no mapping": ("- a\n", r":1:1: the file: should be a mapping"),
    "empty file": ("", r":1:1: the file is empty"),
    "duplicate key": (f"{HEAD}  - say: x\n    say: y\n", r":4:5: key 'say' is here twice, first in line 3"),
    "alias": (
        f"{HEAD}  - say: &x hello\n  - say: *x\n",
        r":3:10: anchors .*\n.*:4:10: aliases ",
    ),
    "tag": (f"{HEAD}  - say: !!python/name:os.system x\n", r":3:10: tags .* are not read"),
    "two documents": (f"{HEAD}  - say: x\n---\nmatch: a\n", r":4:1: a second document begins"),
    "not YAML": ("match: {user: a\nrules: []\n", r":2:6: a `,` or `}` is missing"),
    "40,000 brackets": ("match: " + "[" * 40_000, r":1:58: nests deeper than 50 levels"),
    "control character": ("match: {user: \x00}\n", r":1:15: holds the unreadable character U\+0000"),
    "half a character": (f'{HEAD}  - say: "\\ud83d"\n', r":3:10: an escape stands for half a character"),
    "infinite": (f"{HEAD}  - {{say: x, slow: {{head_ms: 1e999}}}}\n", r":3:30: 1e999 is too large for a number"),
}


def write(tmp_path: Path, text: str) -> Path:
    """A script file."""
    path = tmp_path / "a.script.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def test_everything_a_script_can_say(tmp_path: Path):
    """Each key is read; dates and words such as yes stay text."""
    script = load_script(write(tmp_path, GOOD))
    assert script.source == str(tmp_path / "a.script.yaml")
    first = script.rules[0]
    assert first.call[0].arguments == {"day": "2026-03-01", "sure": "yes", "n": 3}
    assert first.call[1].arguments == "{"
    assert first.say == ("one", "two")
    assert script.rules[1].json_ == ({"mark": 4},)
    assert [variant["mark"] for variant in script.rules[2].json_] == [4, 5]
    assert script.rules[3].fail.retry_after == 0.2
    assert script.rules[4].drop.times is None
    assert script.rules[5].drop.times == 2


@pytest.mark.parametrize("case", BAD, ids=str)
def test_refused_with_its_place(tmp_path: Path, case):
    """What is wrong, where, and what to do; at once."""
    text, words = BAD[case]
    began = time.monotonic()
    with pytest.raises(BadInputError, match=words):
        load_script(write(tmp_path, text))
    assert time.monotonic() - began < 2


def test_not_utf8_and_not_there(tmp_path: Path):
    """Files that can't be read at all say so."""
    path = tmp_path / "a.script.yaml"
    with pytest.raises(BadInputError, match=r"a\.script\.yaml: can't be read \(No such file or directory\)"):
        load_script(path)
    path.write_bytes(b"match:\n  user: \xff\n")
    with pytest.raises(BadInputError, match=r"a\.script\.yaml:2:9: is not UTF-8; save it as UTF-8"):
        load_script(path)
    path.write_bytes(b"#" * 1_000_001)
    with pytest.raises(BadInputError, match="has 1000001 bytes"):
        load_script(path)


def test_a_folder_is_every_script_below(tmp_path: Path):
    """Scenarios beside them are left alone, a script named twice is served once, all faults come at once."""
    (tmp_path / "deep").mkdir()
    good = tmp_path / "deep" / "b.script.yaml"
    good.write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("a scenario", encoding="utf-8")
    assert [script.source for script in load_scripts([tmp_path, good])] == [str(good)]
    (tmp_path / "c.script.yaml").write_text("{}", encoding="utf-8")
    (tmp_path / "d.script.yaml").write_text("[]", encoding="utf-8")
    with pytest.raises(BadInputError) as caught:
        load_scripts([tmp_path])
    assert {Path(fault.path).name for fault in caught.value.faults} == {"c.script.yaml", "d.script.yaml"}


def test_a_folder_without_scripts_is_an_error(tmp_path: Path):
    """Serving nothing is a mistake."""
    with pytest.raises(BadInputError, match=r"holds no \*\.script\.yaml"):
        load_scripts([tmp_path])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="{}[]:-,&*!|>'\"#?% \nab1")))
def test_any_text_is_a_script_or_bad_input(tmp_path: Path, text: str):
    """No text ends in anything but a script or :class:`BadInputError`."""
    with suppress(BadInputError):
        assert load_script(write(tmp_path, text)).rules
