"""Reads what a user sets for a test: ``vcr_config`` and the arguments of the marker ``vcr``.

vcrpy itself makes the filters out of these settings, so that they do here what they do there. It is imported only where
there are any: it costs half a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.cassettes import Filters
from harness.errors import BadInputError, Fault

__all__ = ["Configuration", "configure"]

_OWN = {"allow_playback_repeats", "allow_unplayed", "allowed_hosts", "record_mode", "record_on_exception"}
_OF_VCRPY = {
    "additional_matchers",
    "before_record",
    "before_record_request",
    "before_record_response",
    "cassette_library_dir",
    "decode_compressed_response",
    "filter_headers",
    "filter_nested_post_data_parameters",
    "filter_post_data_parameters",
    "filter_query_parameters",
    "ignore_hosts",
    "ignore_localhost",
    "match_on",
    "path_transformer",
}
_IDLE = {"drop_unused_requests", "serializer", "skip_patchers"}
"""Honoured by what we do anyway, or checked here."""
_MODES = ("none", "once", "new_episodes", "all", "rewrite")
_LOOSE = (
    "match_on leaves the body out, so that a changed prompt would get its old answer: bodies are compared all the "
    "same; what differs from run to run goes into [tool.harness] volatile or before_record_request (docs/migrating.md)"
)
_LONGEST = 255
"""Bytes of a file's name that every common file system takes."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What holds for one test."""

    path: Path
    """Of its own cassette."""
    shared: tuple[Path, ...] = ()
    """Of further ones that it may play."""
    filters: Filters = field(default_factory=Filters)
    repeats: bool = False
    allow_unplayed: bool = False
    keeps_failed: bool = True
    """Whether what a failing test recorded is kept."""
    note: str | None = None
    """What its settings ask for and don't get; said once at the end of the session."""


def configure(
    settings: Mapping[str, Any],
    *,
    folder: str,
    name: str,
    shared: Sequence[str],
    adjust: Callable[[Any], None] | None,
    where: str,
) -> Configuration:
    """What these settings mean for the cassette ``name`` in ``folder``.

    ``adjust`` lets the hooks of ``pytest_recording_configure`` register matchers. ``where`` names the test in the
    errors. Raises :class:`BadInputError` for settings that mean nothing to us.
    """
    _check(settings, where)
    path, filters = _ensure_suffix(str(Path(folder, name))), Filters()
    if adjust is not None or settings.keys() & _OF_VCRPY:
        path, filters = _configure_vcrpy(settings, folder, name, adjust, where)
    match_on = settings.get("match_on")
    loose = match_on is not None and not {"body", "raw_body"} & set(match_on)
    return Configuration(
        path=_shortened(Path(os.path.normpath(path))),
        shared=tuple(Path(folder, one) for one in shared),
        filters=filters,
        repeats=bool(settings.get("allow_playback_repeats", False)),
        allow_unplayed=bool(settings.get("allow_unplayed", False)),
        keeps_failed=bool(settings.get("record_on_exception", True)),
        note=_LOOSE if loose else None,
    )


def _configure_vcrpy(
    settings: Mapping[str, Any], folder: str, name: str, adjust: Callable[[Any], None] | None, where: str
) -> tuple[str, Filters]:
    vcr = import_module("vcr").VCR(cassette_library_dir=folder, path_transformer=_ensure_suffix)
    translation: Any = import_module("harness.plain.translation")
    persister = vcr.persister
    if adjust is not None:
        adjust(vcr)
    if vcr.persister is not persister:
        raise _refusal(where, "pytest_recording_configure registers a persister; ours alone writes cassettes")
    given = {key: value for key, value in settings.items() if key in _OF_VCRPY}
    try:
        merged = vcr.get_merged_config(**given)
    except KeyError as error:
        raise _refusal(where, str(error.args[0])) from error
    path = merged["path_transformer"](name)
    names = [*given.get("match_on", ()), *given.get("additional_matchers", ())]
    # `body` is what we compare anyway, with the ids that each run mints numbered and volatile paths left out
    matchers = [vcr.matchers[each] for each in names if each != "body"]
    return os.fspath(path), Filters(
        request=lambda request: translation.filter_request(request, merged["before_record_request"]),
        response=lambda response: translation.filter_response(response, merged["before_record_response"]),
        accepts=lambda current, recorded: not matchers or translation.same_request(current, recorded, matchers),
    )


def _check(settings: Mapping[str, Any], where: str) -> None:
    unknown = sorted(settings.keys() - _OWN - _OF_VCRPY - _IDLE)
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise _refusal(where, f"vcr_config has {names}, which is not supported; see docs/migrating.md")
    if settings.get("serializer", "yaml") != "yaml":
        raise _refusal(where, f"serializer {settings['serializer']!r} is not supported; cassettes are YAML")
    mode = settings.get("record_mode", "none")
    if mode not in _MODES:
        raise _refusal(where, f"record_mode {mode!r} is none of {', '.join(_MODES)}")


def _refusal(where: str, what: str) -> BadInputError:
    return BadInputError([Fault(where, 0, 0, what)])


def _ensure_suffix(path: str) -> str:
    return path if path.endswith(".yaml") else f"{path}.yaml"


def _shortened(path: Path) -> Path:
    """As pytest-recording shortens a name that is too long for a file, so that its cassettes are found."""
    if len(path.name) <= _LONGEST:
        return path
    stem = path.name.removesuffix(path.suffix)
    digest = md5(stem.encode(), usedforsecurity=False).hexdigest()
    return path.with_name(f"{stem[: _LONGEST - len(path.suffix) - len(digest) - 3]}...{digest}{path.suffix}")
