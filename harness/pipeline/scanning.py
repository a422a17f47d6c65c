"""Looks for secrets in files that are about to be committed, or were."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cassettes.reading import Node, UnreadableError, read_yaml
from harness.errors import BadInputError, Fault
from harness.git import left_by_git
from harness.records.redaction import Redaction
from harness.secrets import Secrets, is_random, known_secrets, unpacked
from harness.settings import Project

__all__ = ["Leak", "scan"]

_STRUCTURED = {".yaml", ".yml", ".json", ".journal"}
_GZIP_IN_BASE64 = re.compile(r"H4sI[A-Za-z0-9+/\s]+=*")
_CREDENTIALS = {"authorization", "proxy-authorization", "x-api-key", "api-key", "x-goog-api-key"}
_COOKIES = {"cookie", "set-cookie"}


@dataclass(frozen=True, slots=True, order=True)
class Leak:
    """A secret in a file."""

    path: Path
    line: int
    """From 1."""
    rule: str
    """The kind; never the value."""


def scan(project: Project, paths: Sequence[Path]) -> tuple[list[Leak], list[Fault]]:
    """The secrets in files and folders, by default in the project's own; and what could not be read.

    Raises :class:`BadInputError` where there is no file to look into.
    """
    places = paths or [place for place in (project.scenarios, project.cassettes, project.reports) if place.exists()]
    files = sorted({file for place in places for file in _files(place)})
    if not files:
        what = "there is no file to scan; name files or folders"
        raise BadInputError([Fault(", ".join(map(str, paths)) or str(project.root), 0, 0, what)])
    everything = known_secrets(declared=project.redaction)
    # a scenario may name a customer; what is recorded and reported may not
    declared = Redaction(variables=project.redaction.variables, secrets=project.redaction.secrets)
    only_secrets = known_secrets(declared=declared)
    leaks: list[Leak] = []
    faults = []
    for file in files:
        is_kept = any(file.resolve().is_relative_to(top.resolve()) for top in (project.cassettes, project.reports))
        try:
            data = file.read_bytes()
        except OSError as error:
            faults.append(Fault(str(file), 0, 0, f"can't be read: {error.strerror}; check the path"))
            continue
        if _is_structured(file) and (fault := left_by_git(data, str(file))) is not None:
            faults.append(fault)
        found = _scan_file(file, data, everything if is_kept else only_secrets)
        leaks += (Leak(file, line, rule) for line, rule in sorted(found))
    return leaks, faults


def _files(place: Path) -> Iterator[Path]:
    """The files of a folder but for hidden folders; a place that is none, so that it is found unreadable."""
    if not place.is_dir():
        yield place
        return
    for file in place.rglob("*"):
        folders = file.relative_to(place).parts[:-1]
        if file.is_file() and not file.is_symlink() and not any(part.startswith(".") for part in folders):
            yield file


def _is_structured(file: Path) -> bool:
    return file.with_suffix("").suffix in _STRUCTURED or file.suffix in _STRUCTURED


def _scan_file(file: Path, data: bytes, secrets: Secrets) -> set[tuple[int, str]]:
    data = unpacked(data)
    found = {(data.count(b"\n", 0, finding.spans[0][0]) + 1, finding.rule) for finding in secrets.find_in_body(data)}
    if _is_structured(file):
        try:
            scalars = list(_scalars(read_yaml(data.decode()), ""))
        except (UnicodeDecodeError, UnreadableError):
            return found
        last = data.count(b"\n") + 2
        for (key, node), end in zip(scalars, [*(node.line for _, node in scalars[1:]), last], strict=True):
            seen = {rule for line, rule in found if node.line <= line <= max(end - 1, node.line)}
            found |= {(node.line, rule) for rule in _scan_scalar(key, node, secrets) - seen}
    return found


def _scan_scalar(key: str, node: Node, secrets: Secrets) -> set[str]:
    """The secrets in a value of a cassette: of a body whatever its coding, of a header by its name."""
    value = node.value
    if isinstance(value, str):
        packed = _GZIP_IN_BASE64.fullmatch(value)
        data = _decoded(value) if packed else value.encode("utf-8", "surrogatepass")
    else:
        data = value if isinstance(value, bytes) else b""
    name = key.lower()
    rules = {finding.rule for finding in secrets.find_in_body(unpacked(data))}
    if name in ("uri", "url"):
        rules |= {finding.rule for finding in secrets.find(data, address=True)}
    elif name in _CREDENTIALS and is_random(data.rpartition(b" ")[2]):
        rules |= set() if rules else {"credential in a header"}
    elif name in _COOKIES and is_random(data.partition(b";")[0].partition(b"=")[2]):
        rules |= {"cookie"}
    return rules


def _scalars(node: Node, key: str) -> Iterator[tuple[str, Node]]:
    """Every text with the key that it stands under, through lists."""
    if isinstance(node.value, dict):
        for name, child in node.value.items():
            yield from _scalars(child, name)
    elif isinstance(node.value, list):
        for child in node.value:
            yield from _scalars(child, key)
    elif node.value is not None:
        yield key, node


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()))
    except binascii.Error:
        return text.encode()
