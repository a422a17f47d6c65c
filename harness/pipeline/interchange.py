"""Takes in cassettes of other tools, and hands ours out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.cassettes import load_cassette
from harness.cassettes.cleaning import Cleaner
from harness.cassettes.exporting import write_for_vcrpy
from harness.cassettes.writing import write_cassette
from harness.errors import BadInputError, CassetteError, Fault
from harness.git import left_by_git
from harness.records.exchange import Cassette
from harness.secrets import declaring
from harness.settings import find_root, load_project
from harness.store import write_texts

__all__ = ["Transfer", "export_cassettes", "import_cassettes"]

_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One file that was taken from one place to another."""

    source: Path
    target: Path
    exchanges: int
    changed: bool
    """Whether the target was written; else it held the same already."""


def import_cassettes(paths: Iterable[Path], out: Path) -> tuple[Transfer, ...]:
    """Write cassettes of any tool in our layout, cleaned like a recording of ours.

    Files keep their places below the folder that was named. Everything is read and checked before anything is written.
    What stands at a target already stays, and has to hold the same; but for a source that is its own target.
    Raises :class:`BadInputError` and :class:`CassetteError` with everything that can't be read, or is in the way.
    """

    def convert(source: Path, target: Path) -> tuple[str, Cassette]:
        found = load_cassette(source)
        origin = found.imported_from
        if origin is None and found.metadata is None and not _is_same(source, target):
            origin = _named(source)
        cleaner = Cleaner()
        for each in found.exchanges:
            cleaner.hear(each.request, each.response.headers)
        exchanges = tuple(map(cleaner.clean, found.exchanges))
        ours = found.model_copy(update={"exchanges": exchanges, "imported_from": origin})
        return write_cassette(ours), ours

    with declaring(load_project(find_root(out)).redaction):
        return _transfer(paths, out, convert, in_place=True)


def export_cassettes(paths: Iterable[Path], out: Path) -> tuple[Transfer, ...]:
    """Write cassettes as stock vcrpy would have. The rest is as for :func:`import_cassettes`, but nothing in place."""

    def convert(source: Path, _target: Path) -> tuple[str, Cassette]:
        found = load_cassette(source)
        try:
            return write_for_vcrpy(found.exchanges), found
        except ValueError as error:
            raise CassetteError(f"{_named(source)}:1: can't be exported: {error}; leave this file out") from error

    return _transfer(paths, out, convert, in_place=False)


def _transfer(
    paths: Iterable[Path], out: Path, convert: Callable[[Path, Path], tuple[str, Cassette]], *, in_place: bool
) -> tuple[Transfer, ...]:
    transfers: list[Transfer] = []
    texts: dict[Path, str] = {}
    sources: dict[Path, Path] = {}
    faults: list[str] = []
    for source, target in _places(paths, out):
        if target in sources:
            faults.append(
                f"{_named(source)}:1: would become {target}, like {_named(sources[target])}; import one of them"
            )
            continue
        sources[target] = source
        try:
            text, cassette = convert(source, target)
            changed = _is_new(target, text, cassette, replaces=in_place and _is_same(source, target))
        except CassetteError as error:
            faults.append(str(error))
            continue
        if changed:
            texts[target] = text
        transfers.append(Transfer(source, target, len(cassette.exchanges), changed))
    if faults:
        raise CassetteError("\n".join([*faults, "nothing was written"]))
    write_texts(texts)
    return tuple(transfers)


def _is_new(target: Path, text: str, cassette: Cassette, *, replaces: bool) -> bool:
    """Whether a target is to be written. Raises :class:`CassetteError` where it holds something else."""
    if not target.exists():
        return True
    if replaces:
        return target.read_bytes() != text.encode()
    if target.read_bytes() == text.encode() or load_cassette(target).exchanges == cassette.exchanges:
        return False
    raise CassetteError(f"{_named(target)}:1: holds another recording; remove it, or name another folder with --out")


def _places(paths: Iterable[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Each file, and where it goes. Raises :class:`BadInputError` where there is none."""
    faults = []
    for path in paths:
        if path.is_dir():
            files = sorted(file for file in path.rglob("*") if _may_be_cassette(file, path))
            base = path
        else:
            files, base = [path] if path.exists() else [], path.parent
        if not files:
            what = "holds no cassette" if path.is_dir() else "does not exist"
            faults.append(Fault(_named(path), 0, 0, f"{what}; name a cassette, or a folder with some"))
        for file in files:
            relative = file.relative_to(base)
            yield file, out / relative.with_name(f"{_stem(relative)}.yaml")
    if faults:
        raise BadInputError(faults)


def _may_be_cassette(file: Path, folder: Path) -> bool:
    if not file.is_file() or any(part.startswith(".") for part in file.relative_to(folder).parts):
        return False
    name = file.name.removesuffix(".gz")
    if name.endswith(".json"):
        data = file.read_bytes()  # a folder of recordings may hold other data
        return b'"interactions"' in data or left_by_git(data, file.name) is not None
    return name.endswith((".yaml", ".yml"))


def _stem(file: Path) -> str:
    name = file.name.removesuffix(".gz")
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _is_same(source: Path, target: Path) -> bool:
    return target.exists() and target.samefile(source)


def _named(path: Path) -> str:
    """A path that may stand in a committed file: below the working folder, or the name alone."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.name
