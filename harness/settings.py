"""Where a project's files are and what ``[tool.harness]`` says: pyproject.toml < environment < flag."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import BadInputError, Fault
from harness.git import left_by_git
from harness.records.price import Price
from harness.records.redaction import Redaction
from harness.records.renames import Renames

__all__ = ["Project", "find_root", "load_project", "placehold_keys"]


@dataclass(frozen=True, slots=True)
class Project:
    """One project that uses the harness."""

    root: Path
    scenarios: Path
    cassettes: Path
    reports: Path
    declared: bool = False
    """Whether pyproject.toml has a ``[tool.harness]`` table."""
    judge_model: str | None = None
    volatile: tuple[str, ...] = ()
    """Dotted paths in request bodies that take no part in matching."""
    allowed_hosts: tuple[str, ...] = ()
    """Each ``host:port`` that a replay may connect to."""
    trial_timeout: float = 60.0
    """Seconds of wall time after which a replayed trial is ended."""
    prices: Mapping[str, Price] = field(default_factory=dict)
    """The project's own prices by model; they come before those of the genai-prices library."""
    renames: Renames = field(default_factory=Renames)
    """What is the same under another name."""
    max_age_days: int | None = None
    """Recordings older than this are reported by `harness drift`."""
    redaction: Redaction = field(default_factory=Redaction)
    """What is secret or redacted, beyond what is looked for anyway."""


_PATHS = {"scenarios": "scenarios", "cassettes": "cassettes", "reports": "reports"}
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_KNOWN = {
    *_PATHS,
    *("allowed_hosts", "judge_model", "max_age_days", "prices", "redact", "renames", "secrets"),
    *("trial_timeout", "volatile"),
}
_HOST = re.compile(r"([a-zA-Z0-9_.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LABEL = re.compile(r"[a-z][a-z0-9-]{0,40}")


def find_root(start: Path) -> Path:
    """The project that a path belongs to: the nearest folder upwards with ``[tool.harness]``.

    Without one, the nearest that holds a ``pyproject.toml`` or ``conftest.py``; else ``start`` itself.
    """
    start = start.resolve()
    folders = [folder for folder in (start, *start.parents) if folder.is_dir()]
    for folder in folders:
        if "harness" in _read_tool(folder / "pyproject.toml"):
            return folder
    for folder in folders:
        if (folder / "pyproject.toml").is_file() or (folder / "conftest.py").is_file():
            return folder
    return folders[0] if folders else Path.cwd()


def load_project(root: Path, environ: Mapping[str, str] = os.environ) -> Project:
    """Read ``[tool.harness]`` and ``HARNESS_*``. Raises :class:`BadInputError` with every fault."""
    file = root / "pyproject.toml"
    tool = _read_tool(file)
    table = tool.get("harness", {})
    faults = [
        Fault(file.name, 0, 0, f"[tool.harness] has no setting {key!r}; known: {', '.join(sorted(_KNOWN))}")
        for key in table
        if key not in _KNOWN
    ]
    folders = {}
    for key, default in _PATHS.items():
        value = environ.get(f"HARNESS_{key.upper()}") or table.get(key, default)
        if not isinstance(value, str):
            faults.append(Fault(file.name, 0, 0, f"[tool.harness] {key} = {value!r} is no path; write it as text"))
            continue
        folders[key] = root / value
    judge_model = environ.get("HARNESS_JUDGE_MODEL") or table.get("judge_model")
    volatile = table.get("volatile", [])
    if not (isinstance(volatile, list) and all(isinstance(path, str) for path in volatile)):
        faults.append(Fault(file.name, 0, 0, "[tool.harness] volatile must be a list of dotted paths"))
        volatile = []
    max_age_days = table.get("max_age_days")
    if max_age_days is not None and (type(max_age_days) is not int or max_age_days < 1):
        faults.append(Fault(file.name, 0, 0, f"[tool.harness] max_age_days = {max_age_days!r} is no number of days"))
    trial_timeout = _read_seconds(environ.get("HARNESS_TRIAL_TIMEOUT") or table.get("trial_timeout", 60.0))
    if trial_timeout is None:
        faults.append(Fault(file.name, 0, 0, "[tool.harness] trial_timeout must be a number of seconds above 0"))
    allowed_hosts = table.get("allowed_hosts", [])
    if not (isinstance(allowed_hosts, list) and all(_HOST.fullmatch(str(host)) for host in allowed_hosts)):
        what = f'[tool.harness] allowed_hosts = {allowed_hosts!r} must list hosts with their ports: ["localhost:5432"]'
        faults.append(Fault(file.name, 0, 0, what))
    prices = _read_prices(file, table.get("prices", {}), faults)
    renames = _read_renames(file, table.get("renames", {}), faults)
    redaction = _read_redaction(file, table, faults)
    if faults or trial_timeout is None:
        raise BadInputError(faults)
    return Project(
        root=root,
        declared="harness" in tool,
        judge_model=judge_model,
        volatile=tuple(volatile),
        allowed_hosts=tuple(allowed_hosts),
        trial_timeout=trial_timeout,
        prices=prices,
        renames=renames,
        max_age_days=max_age_days,
        redaction=redaction,
        **folders,
    )


def _read_prices(file: Path, table: dict[str, Any], faults: list[Fault]) -> dict[str, Price]:
    prices = {}
    for model, entry in table.items():
        try:
            amounts = {key: Decimal(value) for key, value in entry.items()}
            if not all(amount >= 0 and amount.is_finite() for amount in amounts.values()):
                raise ValueError
            prices[model] = Price(**amounts)
        except (TypeError, ValueError, AttributeError, InvalidOperation):
            what = 'needs input and output in US dollars per million tokens, as text: { input = "0.25", output = "2" }'
            faults.append(Fault(file.name, 0, 0, f"[tool.harness.prices] {model!r} {what}"))
    return prices


def _read_renames(file: Path, table: Any, faults: list[Fault]) -> Renames:
    """The declared renames. A name is old or new, never both: the newest one stands for all before it."""
    known = ("models", "tools", "endpoints")
    where = "[tool.harness.renames]"
    if not isinstance(table, dict) or not all(isinstance(names, dict) for names in table.values()):
        faults.append(Fault(file.name, 0, 0, f'{where} needs tables: tools = {{ "lookup" = "find_order" }}'))
        return Renames()
    for kind, names in table.items():
        if kind not in known:
            faults.append(Fault(file.name, 0, 0, f"{where} has no {kind!r}; known: {', '.join(known)}"))
        for old, new in names.items():
            if not isinstance(new, str) or not new or not old:
                faults.append(Fault(file.name, 0, 0, f"{where} {kind}: {old!r} = {new!r} is no name; write it as text"))
            elif new in names:
                what = f"{new!r} is renamed itself; name its newest name for {old!r} as well"
                faults.append(Fault(file.name, 0, 0, f"{where} {kind}: {what}"))
            elif kind == "endpoints" and not _are_endpoints(old, new):
                what = "needs two paths (`/openai/v1`), or two addresses (`https://gateway.example/v1`)"
                faults.append(Fault(file.name, 0, 0, f"{where} {kind}: {old!r} = {new!r} {what}"))
    if faults:
        return Renames()
    endpoints = {old.rstrip("/"): new.rstrip("/") for old, new in table.get("endpoints", {}).items()}
    return Renames(models=table.get("models", {}), tools=table.get("tools", {}), endpoints=endpoints)


def _are_endpoints(*names: str) -> bool:
    paths = [name.startswith("/") for name in names]
    return all(paths) or (not any(paths) and all("://" in name for name in names))


def _read_redaction(file: Path, table: Mapping[str, Any], faults: list[Fault]) -> Redaction:
    """``secrets`` and ``[tool.harness.redact]``."""
    listed, redact = table.get("secrets", []), table.get("redact", {})
    redact = redact if isinstance(redact, dict) else {"": redact}
    emails, paths, patterns = redact.get("emails", False), redact.get("paths", []), redact.get("patterns", {})
    wrong = []
    if not _is_texts(listed):
        wrong.append("secrets must be a list of names of variables and of patterns")
    if redact.keys() - {"emails", "paths", "patterns"}:
        wrong.append("redact takes emails (true or false), paths (a list) and patterns (a table)")
    if not isinstance(emails, bool):
        wrong.append(f"redact.emails = {emails!r} must be true or false")
    if not _is_texts(paths):
        wrong.append("redact.paths must be a list of dotted paths")
    if not (isinstance(patterns, dict) and _is_texts([*patterns.values()]) and all(map(_LABEL.fullmatch, patterns))):
        wrong.append("redact.patterns must be a table of patterns by name, in small letters")
    if not wrong:
        variables = tuple(name for name in listed if _VARIABLE.fullmatch(name))
        secrets = tuple(name for name in listed if name not in variables)
        wrong += _check_patterns((*secrets, *patterns.values()))
    faults += [Fault(file.name, 0, 0, f"[tool.harness] {what}") for what in wrong]
    return Redaction() if wrong else Redaction(variables, secrets, tuple(patterns.items()), tuple(paths), emails)


def _check_patterns(patterns: Sequence[str]) -> list[str]:
    if not patterns:
        return []
    from harness.records.pattern import check_pattern  # which every pytest session would wait for

    wrong = []
    for pattern in patterns:
        try:
            check_pattern(pattern)
        except ValueError as error:
            wrong.append(f"secrets or redact.patterns: {error}")
    return wrong


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def placehold_keys(environ: MutableMapping[str, str] = os.environ) -> tuple[str, ...]:
    """Set a placeholder for each provider key that is missing; the names that were set.

    The SDKs refuse to be constructed without a key, and in replay none is needed: nothing is sent.
    """
    missing = tuple(name for name in _KEYS if not environ.get(name))
    environ.update(dict.fromkeys(missing, "replayed-without-a-key"))
    return missing


def _read_seconds(value: object) -> float | None:
    try:
        seconds = float(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else 0.0
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


def _read_tool(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise BadInputError([Fault(str(file), line, 0, "is not UTF-8; save it as UTF-8")]) from error
    try:
        tool = _parse(text).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        fault = left_by_git(text.encode(), str(file)) or Fault(str(file), 0, 0, f"is not valid TOML: {error}")
        raise BadInputError([fault]) from error
    return tool if isinstance(tool, dict) else {}


@lru_cache(maxsize=64)  # each test function with a cassette asks anew, and to parse a page takes milliseconds
def _parse(text: str) -> dict[str, Any]:
    return tomllib.loads(text)
