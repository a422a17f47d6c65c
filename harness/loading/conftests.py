"""Imports the conftest files of a project for ``harness run``, as pytest does for itself."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from harness.errors import BadInputError, Fault, message_of
from harness.loading.files import shown
from harness.seams import mint_id
from harness.settings import Project

__all__ = ["load_conftests"]


def load_conftests(project: Project, sources: Sequence[Path]) -> None:
    """Import the root's ``conftest.py`` and those on the way down to each source, the outermost first.

    The root and each conftest's folder go on ``sys.path``. A conftest that was imported before, by pytest or by us, is
    left as it is. Raises :class:`BadInputError` with the line in the project where an import broke.
    """
    _put_on_path(project.root)
    folders: dict[Path, None] = {project.root: None}
    for source in sources:
        above = [folder for folder in source.parents if folder.is_relative_to(project.root)]
        folders.update(dict.fromkeys(reversed(above)))
    imported = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    for folder in folders:
        file = folder / "conftest.py"
        if file.is_file() and str(file) not in imported:
            _import(project, file)


def _import(project: Project, file: Path) -> None:
    try:
        if (file.parent / "__init__.py").is_file():
            _import_from_package(file)
        else:
            _put_on_path(file.parent)
            _import_alone(file)
    except (Exception, SystemExit) as error:
        raise BadInputError([_locate(project, file, error)]) from error


def _import_from_package(file: Path) -> ModuleType:
    folders = [folder for folder in file.parents if (folder / "__init__.py").is_file()]
    top = next(folder for folder in file.parents if folder not in folders)
    _put_on_path(top)
    return importlib.import_module(".".join(file.with_suffix("").relative_to(top).parts))


def _import_alone(file: Path) -> ModuleType:
    # a name of its own: all are called conftest, and the classes of one must not pass for those of another
    name = f"conftest_{mint_id(file)}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _put_on_path(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _locate(project: Project, file: Path, error: BaseException) -> Fault:
    """The innermost line of the project that the error came through, without those of installed libraries."""
    place, line = file, 0
    for frame in traceback.extract_tb(error.__traceback__):
        here = Path(frame.filename)
        if here.is_relative_to(project.root) and not {"site-packages", "dist-packages"}.intersection(here.parts):
            place, line = here, frame.lineno or 0
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_relative_to(project.root):
        place, line = Path(error.filename), error.lineno or 0
    text = " ".join(message_of(error).split())
    what = f"raised {type(error).__name__}{text and f': {text}'}; mend it, so that conftest.py can be imported"
    return Fault(shown(project, place), line, 0, what)
