"""The script of one conversation: which requests are its own, and what the model answers."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, ValidationError, model_validator
from pydantic_core import ErrorDetails

from harness.errors import BadInputError, Fault
from harness.records.base import JsonObject, Record
from harness.strictyaml import Place, read_yaml

__all__ = [
    "SUFFIX",
    "Cut",
    "Drop",
    "Fail",
    "Match",
    "Rule",
    "Script",
    "ScriptFile",
    "ScriptedCall",
    "ScriptedUsage",
    "Slow",
    "When",
    "load_script",
    "load_scripts",
]

SUFFIX = ".script.yaml"


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


def _as_drop(value: object) -> object:
    return {} if value is True else value


def _not_empty(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """A constraint on the length would also complain where the rules that are there are faulty."""
    if not rules:
        raise ValueError("is empty; add a rule")
    return rules


def _object_or_text(arguments: JsonValue) -> JsonValue:
    if not isinstance(arguments, dict | str):
        raise ValueError("arguments are a mapping of names to values, or a text to send as it stands")
    return arguments


Text = Annotated[str, Field(min_length=1, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Tokens = Annotated[int, Field(ge=0, strict=True)]
Milliseconds = Annotated[float, Field(ge=0, le=60_000)]


class Match(Record):
    """Which conversations are the script's own. All that is given must hold."""

    user: Text | None = None
    """In the first user message."""
    system: Text | None = None
    """In the system prompt."""
    model: Text | None = None
    """The whole name of the model asked for."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("one of user, system or model must be given")
        return self


class When(Record):
    """When a rule holds. All that is given must hold; nothing given always holds."""

    turn: Count | None = None
    """The number of this reply of the model in the conversation."""
    tool: Text | None = None
    """A result of this tool came since the model's last reply."""
    result: Text | None = None
    """In such a result."""
    user: Text | None = None
    """In the newest user message."""
    said: Text | None = None
    """In the model's previous reply."""


class ScriptedCall(Record):
    """A tool call that the model makes."""

    tool: Text
    arguments: Annotated[JsonValue, AfterValidator(_object_or_text)] = {}
    """An object; or text, sent as it stands, which may be invalid JSON."""


class Fail(Record):
    """An error in the provider's shape."""

    status: Literal[400, 401, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 529]
    retry_after: Annotated[float, Field(ge=0)] | None = None
    """Seconds, sent as headers."""
    times: Count | None = None
    """Of ``times`` + 1 equal requests the first ``times`` fail; None: all."""
    message: Text | None = None
    code: Text | None = None


class Drop(Record):
    """The connection closes before any response."""

    times: Count | None = None


class Slow(Record):
    """How long the client waits."""

    head_ms: Milliseconds = 0
    """Before the headers."""
    chunk_ms: Milliseconds = 0
    """Before each event of a stream but the first."""


class Cut(Record):
    """The socket closes in the middle of the body."""

    after_chunks: Annotated[int, Field(ge=0, strict=True)]
    """So many events of a stream are sent whole; a plain body is cut in the middle."""
    times: Count | None = None


class ScriptedUsage(Record):
    """Token counts that replace the estimate."""

    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cached_input_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None


class Rule(Record):
    """One answer, and when it is given."""

    when: When = When()
    say: Annotated[tuple[Text, ...], BeforeValidator(_as_list)] = ()
    """Variants that take turns."""
    call: tuple[ScriptedCall, ...] = ()
    json_: Annotated[tuple[JsonObject, ...], BeforeValidator(_as_list)] = Field(default=(), alias="json")
    """Variants that take turns."""
    fail: Fail | None = None
    drop: Annotated[Drop, BeforeValidator(_as_drop)] | None = None
    stop: Literal["length", "refusal"] | None = None
    usage: ScriptedUsage = ScriptedUsage()
    slow: Slow = Slow()
    cut: Cut | None = None

    @model_validator(mode="after")
    def _answers_once(self) -> Self:
        given = [name for name in ("say", "call", "json_", "fail", "drop") if getattr(self, name)]
        given = given or [name for name in ("fail", "drop") if getattr(self, name) is not None]
        names = [name.strip("_") for name in given]
        if given != ["say", "call"] and len(given) != 1:
            what = f"has {' and '.join(names)}" if given else "has no answer"
            raise ValueError(f"a rule answers with one of say, call, say and call, json, fail or drop; this one {what}")
        if given[0] in ("fail", "drop") and self.model_fields_set - {"when", given[0]}:
            raise ValueError(f"only `when` stands beside {names[0]}")
        if self.stop == "refusal" and given != ["say"]:
            raise ValueError("a refusal needs `say`, and nothing else")
        return self


class ScriptFile(Record):
    """What a script file holds."""

    match: Match
    rules: Annotated[tuple[Rule, ...], AfterValidator(_not_empty)]


class Script(ScriptFile):
    """A script that was loaded."""

    source: str
    """The file, as the user gave it."""


def load_script(path: Path) -> Script:
    """Read one script. Raises :class:`BadInputError` with every fault of the file, each ``file:line:column``."""
    data, places = read_yaml(path)
    try:
        content = ScriptFile.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise BadInputError(_fault(path, detail, places) for detail in details) from None
    return Script(match=content.match, rules=content.rules, source=str(path))


def load_scripts(paths: Sequence[Path]) -> tuple[Script, ...]:
    """Read files, and every ``*.script.yaml`` below folders. Raises :class:`BadInputError` with the faults of all."""
    scripts: dict[Path, Script] = {}
    faults: list[Fault] = []
    for path in paths:
        files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not files:
            faults.append(Fault(str(path), 0, 0, f"holds no *{SUFFIX}; name a folder or file that does"))
        for file in files:
            try:
                scripts.setdefault(file.resolve(), load_script(file))
            except BadInputError as error:
                faults.extend(error.faults)
    if faults:
        raise BadInputError(faults)
    return tuple(scripts.values())


_SAYINGS = {
    "missing": "is missing; add it",
    "model_type": "should be a mapping of keys to values",
    "string_type": "should be text; put it in quotes",
    "string_unicode": "holds half a character; write the character itself",
    "string_too_short": "is empty; write a text",
    "tuple_type": "should be a list; begin each item with '- '",
    "dict_type": "should be a mapping of keys to values",
}


def _fault(path: Path, detail: ErrorDetails, places: dict[tuple[str | int, ...], Place]) -> Fault:
    steps = detail["loc"]
    known = next((steps[:length] for length in range(len(steps), -1, -1) if steps[:length] in places), ())
    line, column = places.get(known, (1, 1))
    name = ".".join(map(str, steps)) or "the file"
    if detail["type"] == "extra_forbidden":
        return Fault(str(path), line, column, _unknown_key(str(steps[-1]), steps[:-1]))
    saying = _SAYINGS.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    shown = "" if detail["type"] in ("missing", "value_error") else f", got {_short(detail['input'])}"
    return Fault(str(path), line, column, f"{name}: {saying}{shown}")


def _unknown_key(key: str, parents: tuple[str | int, ...]) -> str:
    owners: dict[str, type[Record]] = {
        "match": Match,
        "when": When,
        "call": ScriptedCall,
        "fail": Fail,
        "drop": Drop,
        "slow": Slow,
        "cut": Cut,
        "usage": ScriptedUsage,
        "rules": Rule,
    }
    named = [step for step in parents if isinstance(step, str)]
    owner = owners.get(named[-1], ScriptFile) if named else ScriptFile
    keys = [field.alias or name for name, field in owner.model_fields.items()]
    near = get_close_matches(key, keys, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(keys)}"
    return f"unknown key {key!r}; {hint}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
