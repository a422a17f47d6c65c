"""The pytest plugin for a user's own test functions: what pytest-recording offers, where it is not installed.

It imports nothing heavy and patches nothing until a test that is marked runs.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib import import_module
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import CassetteMissError, HarnessError

if TYPE_CHECKING:
    from harness.plain.blocking import Block
    from harness.plain.recorder import PlainCassette, Recorder

__all__: list[str] = []

_MODES = ("none", "once", "new_episodes", "all", "rewrite")
_RECORDER: pytest.StashKey[Recorder] = pytest.StashKey()
_PASSED = pytest.StashKey[bool]()
_BLOCK: pytest.StashKey[Block] = pytest.StashKey()
_TOLD = pytest.StashKey[bool]()
_NOTES: pytest.StashKey[set[str]] = pytest.StashKey()
_FORBIDDEN = "<>?%*:|\"'/\\"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flags."""
    group = parser.getgroup("recording", "recorded HTTP in marked tests")
    group.addoption(
        "--record-mode",
        choices=_MODES,
        help="how tests marked `vcr` meet HTTP; default: none, replay only. Scenarios: none replays, rewrite records",
    )
    group.addoption("--block-network", action="store_true", help="refuse connections, but for recording")
    group.addoption("--allowed-hosts", metavar="HOSTS", help="exact hosts that --block-network allows, with commas")
    group.addoption("--disable-recording", action="store_true", help="leave tests marked `vcr` to the network")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for line in (
        "vcr(*cassettes, **vcr_config): replay this test's HTTP from its cassette, and further ones",
        "default_cassette(name): the name of the test's cassette",
        "block_network(allowed_hosts): refuse connections, but for recording",
    ):
        config.addinivalue_line("markers", line)
    config.stash[_NOTES] = set()


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hook that projects use to register matchers."""
    pluginmanager.add_hookspecs(_Hooks)


class _Hooks:
    def pytest_recording_configure(self, config: pytest.Config, vcr: Any) -> None:
        """Adjust the vcrpy object whose filters and matchers a test's settings name."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Give each marked test its cassette, before all else of its own; the others see nothing of us."""
    blocks = session.config.getoption("--block-network")
    for item in session.items:
        names = getattr(item, "fixturenames", None)
        if names is None:
            continue
        wanted = []
        if blocks or item.get_closest_marker("block_network"):
            wanted.append("block_network")
        if item.get_closest_marker("vcr"):
            wanted.append("vcr")
        first = _first_of_function(item, names)
        names[first:first] = [name for name in wanted if name not in names]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Block the network from before the first fixture on, where that is asked for."""
    mark = item.get_closest_marker("block_network")
    if mark is None and not item.config.getoption("--block-network"):
        return (yield)
    _check_block(item, mark)
    blocking: Any = import_module("harness.plain.blocking")
    hosts = (mark.kwargs.get("allowed_hosts") if mark else None) or item.config.getoption("--allowed-hosts")
    block = item.stash[_BLOCK] = blocking.Block(_hosts(hosts))
    with block.enforced():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Let an async test end in a miss, not in a group of errors that holds one."""
    if _RECORDER not in pyfuncitem.stash or not iscoroutinefunction(test := pyfuncitem.obj):
        return (yield)
    recorder: Any = import_module("harness.plain.recorder")
    pyfuncitem.obj = recorder.ungrouped(test)
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A request without an answer fails its test, whatever the test made of the error."""
    report = yield
    recorder = item.stash.get(_RECORDER, None)
    if recorder is None or hasattr(report, "wasxfail"):
        return report
    miss = recorder.miss()
    if miss is not None and not item.stash.get(_TOLD, False):
        item.stash[_TOLD] = True
        if report.failed and call.excinfo is not None and not call.excinfo.errisinstance(CassetteMissError):
            miss += f"\nthe test then ended in {call.excinfo.exconly()}"
        report.outcome, report.longrepr = "failed", miss
    if call.when == "call" or (call.when == "setup" and not report.passed):
        item.stash[_PASSED] = report.passed
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was asked for and not done."""
    notes: set[str] = config.stash[_NOTES]
    for note in sorted(notes):
        terminalreporter.line(f"harness: {note}")


@pytest.fixture(scope="session")
def record_mode(request: pytest.FixtureRequest) -> str:
    """The mode of ``--record-mode``."""
    return str(request.config.getoption("--record-mode") or "none")


@pytest.fixture(scope="session")
def disable_recording(request: pytest.FixtureRequest) -> bool:
    """Whether marked tests are left to the network."""
    return bool(request.config.getoption("--disable-recording"))


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    """The user's settings for cassettes; overridden in a conftest or module."""
    return {}


@pytest.fixture
def vcr_markers(request: pytest.FixtureRequest) -> list[pytest.Mark]:
    """All markers ``vcr`` of the test, the closest first."""
    return list(request.node.iter_markers(name="vcr"))


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    """The folder of the module's cassettes, beside it."""
    return str(request.node.path.parent / "cassettes" / request.node.path.stem)


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """The name of the test's cassette: that of ``default_cassette``, else the test's own with its class."""
    mark = request.node.get_closest_marker("default_cassette")
    if mark is not None:
        if len(mark.args) != 1:
            pytest.fail(f"{request.node.nodeid}: default_cassette takes one name", pytrace=False)
        return str(mark.args[0])
    name = f"{request.cls.__name__}.{request.node.name}" if request.cls else request.node.name
    return str(name).translate(dict.fromkeys(map(ord, _FORBIDDEN), "-"))


@pytest.fixture
def allowed_hosts(request: pytest.FixtureRequest, vcr_config: Mapping[str, Any]) -> list[str]:
    """The exact hosts that a block lets through: of the marker, else of the flag, else of ``vcr_config``."""
    mark = request.node.get_closest_marker("block_network")
    of_mark = mark.kwargs.get("allowed_hosts") if mark else None
    return _hosts(of_mark or request.config.getoption("--allowed-hosts") or vcr_config.get("allowed_hosts"))


@pytest.fixture
def block_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let through what the test's settings allow, where the network is blocked."""
    block = request.node.stash.get(_BLOCK, None)
    if block is None:
        yield
    else:
        with block.widened(request.getfixturevalue("allowed_hosts")):
            yield


@pytest.fixture
def vcr(
    request: pytest.FixtureRequest,
    vcr_markers: list[pytest.Mark],
    vcr_cassette_dir: str,
    record_mode: str,
    disable_recording: bool,
) -> Iterator[PlainCassette | None]:
    """The test's cassette, where it is marked ``vcr``: its requests are answered from there, or recorded."""
    if disable_recording or not vcr_markers:
        yield None
        return
    settings = {key: value for mark in reversed(vcr_markers) for key, value in mark.kwargs.items()}
    settings = {**request.getfixturevalue("vcr_config"), **settings}
    name = request.getfixturevalue("default_cassette_name")
    with _failing():
        recorder = _open(request, settings, vcr_cassette_dir, name, _mode(request, settings, record_mode))
    request.node.stash[_RECORDER] = recorder
    request.node.stash[_TOLD] = False  # it may have run before: some plugins try a test again
    block = request.node.stash.get(_BLOCK, None)
    with ExitStack() as stack:
        with _failing():
            cassette = stack.enter_context(recorder.playing())
        if block is not None and recorder.is_recording:
            stack.enter_context(block.lifted())
        yield cassette
    passed = request.node.stash.get(_PASSED, None)
    with _failing():
        recorder.save(passed)
    if passed and recorder.miss() is None and (left := recorder.unplayed()) is not None:
        pytest.fail(left, pytrace=False)


def _open(request: pytest.FixtureRequest, settings: Mapping[str, Any], folder: str, name: str, mode: str) -> Recorder:
    from harness.plain.configuration import configure
    from harness.plain.recorder import Recorder

    hook = request.config.hook.pytest_recording_configure
    configuration = configure(
        settings,
        folder=folder,
        name=name,
        shared=[str(path) for mark in request.getfixturevalue("vcr_markers") for path in mark.args],
        adjust=(lambda vcr: hook(config=request.config, vcr=vcr)) if hook.get_hookimpls() else None,
        where=request.node.nodeid,
    )
    if configuration.note:
        request.config.stash[_NOTES].add(configuration.note)
    return Recorder(configuration, mode, request.node.nodeid)


def _mode(request: pytest.FixtureRequest, settings: Mapping[str, Any], of_fixture: str) -> str:
    """The flag's mode, else that of the settings; but in CI nothing is recorded that the flag does not ask for."""
    flag = request.config.getoption("--record-mode")
    if flag:
        return str(flag)
    return "none" if os.environ.get("CI") else str(settings.get("record_mode") or of_fixture)


def _first_of_function(item: pytest.Item, names: list[str]) -> int:
    """Where the fixtures of the narrowest scope begin: those of wider scope are set up outside of any one test."""
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # noqa: SLF001 - pytest has no other door
    scopes = [known[name][-1].scope if known.get(name) else "" for name in names]
    return scopes.index("function") if "function" in scopes else len(names)


def _hosts(value: str | Iterable[str] | None) -> list[str]:
    return value.split(",") if isinstance(value, str) else list(value or ())


def _check_block(item: pytest.Item, mark: pytest.Mark | None) -> None:
    if mark is not None and (mark.args or set(mark.kwargs) - {"allowed_hosts"}):
        raise pytest.UsageError(f"{item.nodeid}: block_network takes allowed_hosts=[…] and nothing else")


@contextmanager
def _failing() -> Iterator[None]:
    """Our errors in their own words, without a traceback through us."""
    try:
        yield
    except HarnessError as error:
        pytest.fail(str(error), pytrace=False)
