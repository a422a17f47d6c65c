"""What the documents say is true."""

from __future__ import annotations

import ast
import re
import shlex
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.cli import _parser
from harness.errors import ExitCode
from harness.providers.simulated import running_provider
from harness.records.outcome import Outcome
from harness.records.trace import Role
from harness.reporting.standing import Standing
from harness.settings import _KNOWN
from tests.architecture.test_floors import FLOORS
from tests.project import MiniProject

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for folder in (".", "docs", "docs/decisions", "docs/frameworks", "scenarios", "reports", "benchmarks", "tests")
    for page in (ROOT / folder).glob("*.md")
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COMMANDS = next(action.choices for action in _parser()._actions if action.choices)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


def test_the_constraints_fit_what_is_declared() -> None:
    """Each dependency, the extras included, is pinned once, at a version that its lower bound admits."""
    pinned = [Requirement(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()]
    versions = {requirement.name: next(iter(requirement.specifier)).version for requirement in pinned}
    assert len(versions) == len(pinned)
    declared = PYPROJECT["dependencies"] + [
        each for extra in PYPROJECT["optional-dependencies"].values() for each in extra
    ]
    for requirement in map(Requirement, declared):
        name = canonicalize_name(requirement.name)
        assert name == PYPROJECT["name"] or requirement.specifier.contains(versions[name]), name


def test_both_commands_of_the_readme_and_ci_install_what_is_pinned() -> None:
    """Every install of this project from a clone names the constraints."""
    for name in ("README.md", ".ci/run", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        installs = [line for line in text.splitlines() if "-e '.[" in line]
        assert installs
        assert all("-c constraints.txt" in line for line in installs), name


def tokens(page: Path) -> list[Token]:
    """A page's tokens, those of its lines included."""
    blocks = MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8"))
    return [token for block in blocks for token in (block, *(block.children or ()))]


def fences(page: Path, language: str) -> list[str]:
    """The code blocks of one language."""
    return [token.content for token in tokens(page) if token.type == "fence" and token.info == language]


def rows(page: Path, header: str) -> list[list[str]]:
    """The cells of the table whose first line begins with these words, without that line."""
    text = page.read_text(encoding="utf-8")
    table = text[text.index(f"\n| {header} |") + 1 :].partition("\n\n")[0]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()[2:]]


def anchors(page: Path) -> set[str]:
    """The places of a page that a link may name."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def broken(page: Path, link: str) -> bool:
    """Whether a link within the repository leads nowhere."""
    if re.match(r"[a-z]+:", link):
        return False
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or bool(anchor and anchor not in anchors(target))


def distribution(requirement: str) -> str:
    """The name in a requirement."""
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower()


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_resolve(page: Path) -> None:
    """A link to a file or a heading of this repository finds it."""
    links = [str(token.attrs["href"]) for token in tokens(page) if token.type == "link_open"]
    assert [link for link in links if broken(page, link)] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_named_files_exist(page: Path) -> None:
    """A Python file or folder of this repository that a page names is there."""
    named = [token.content for token in tokens(page) if token.type == "code_inline"]
    files = [
        name for name in named if re.fullmatch(r"(harness|tests|benchmarks|docs|\.ci)/[\w./-]+|\w+/[\w/]+\.py", name)
    ]
    assert [name for name in files if not any((base / name).exists() for base in (ROOT, ROOT / "harness"))] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_parse(page: Path) -> None:
    """A `harness` command that a page shows in a console is one that the parser takes."""
    for line in "".join(fences(page, "console")).replace("\\\n", "").splitlines():
        for command in re.split(r"&&|\|", line.partition("#")[0]):
            words = shlex.split(command)
            if "harness" in words:
                _parser().parse_args(words[words.index("harness") + 1 :])


def test_the_first_two_lines_are_what_ci_runs() -> None:
    """The two commands that a newcomer pastes are run by CI as they stand."""
    pasted = [line.removeprefix("$ ") for line in fences(ROOT / "README.md", "console")[0].splitlines()]
    script = [line.strip("( )") for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()]
    assert len(pasted) == 2
    assert [line for line in pasted if line not in script] == []
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    assert "bash .ci/run" in [step.get("run") for step in workflow["jobs"]["test"]["steps"]]


def test_ci_covers_what_we_claim() -> None:
    """Each Python that we claim is in the workflow, oldest and newest on each system; what CI names is there."""
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    pythons = jobs["test"]["strategy"]["matrix"]["python"]
    claimed = [line.rpartition(" ")[2] for line in PYPROJECT["classifiers"] if "Python :: 3." in line]
    assert set(claimed) <= set(pythons)
    laptops = jobs["laptops"]["strategy"]["matrix"]
    assert laptops == {"os": ["macos-latest", "windows-latest"], "python": [pythons[0], pythons[-1]]}
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in (".ci/run", ".github/workflows/ci.yml")]
    named = [name for text in texts for name in re.findall(r"tests/[\w/]+(?:\.\w+)?(?![\w{])", text)]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_example_works(tmp_path: Path) -> None:
    """The README's conftest and scenario, with an agent for it to import, are recorded, replayed and accepted."""
    project = MiniProject(tmp_path).write(
        {
            "conftest.py": fences(ROOT / "README.md", "python")[0],
            "scenarios/order-status.yaml": fences(ROOT / "README.md", "yaml")[0],
            "my_company/agent.py": AGENT,
            "order-status.script.yaml": SCRIPT,
        }
    )
    with running_provider([tmp_path / "order-status.script.yaml"]) as url:
        recorded = project.record(url)
    assert recorded.code == 0, recorded.text
    replayed = project.pytest()
    assert replayed.code == 0, replayed.text
    assert [trial["outcome"] for trial in project.results()["trials"]] == ["passed"]
    assert project.harness("accept", "--yes").code == 0
    assert project.harness("run").code == 0


AGENT = '''\
from openai import AsyncOpenAI


async def answer(text: str, tools) -> str:
    """An agent of the reader's own, over the bare SDK."""
    offered = [
        {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
        for t in tools
    ]
    by_name = {tool.name: tool for tool in tools}
    messages = [{"role": "user", "content": text}]
    client = AsyncOpenAI(max_retries=0)
    while True:
        reply = await client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=offered)
        message = reply.choices[0].message
        if not message.tool_calls:
            return message.content
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            result = await by_name[call.function.name].call(call.function.arguments)
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result.content})
'''

SCRIPT = """\
match: {user: Where is my order 1042}
rules:
  - when: {turn: 1}
    call: [{tool: find_order, arguments: {order_id: "1042"}}]
  - when: {tool: find_order, result: Red Van}
    say: It left our house and travels with Red Van.
"""


def test_every_command_is_in_the_table() -> None:
    """The README names the parser's commands, no more and no fewer, with flags that they have."""
    shown = [shlex.split(cell.strip("`").replace("…", "")) for cell, _ in rows(ROOT / "README.md", "command")]
    assert sorted(words[1] for words in shown) == sorted(COMMANDS)
    for words in shown:
        flags = re.findall(r"-\w\b|--\w+", " ".join(words[2:]))
        assert set(flags) <= COMMANDS[words[1]]._option_string_actions.keys()


def test_the_exit_codes_are_in_the_table() -> None:
    """The README has a row for each exit code, which names the outcomes that end in it, and their precedence."""
    table = {ExitCode(int(code)): meaning for code, meaning in rows(ROOT / "README.md", "exit code")}
    assert list(table) == sorted(ExitCode)
    for outcome in Outcome:
        assert outcome.replace("xfailed", "xfail").replace("_", " ") in table[outcome.exit_code]
    order = re.search(r"When several hold: (\d), then (\d), then (\d), then (\d)", README)
    assert order
    codes = [ExitCode(int(code)) for code in order.groups()]
    assert [ExitCode.worst(codes[place:]) for place in range(4)] == codes


def test_every_role_is_in_the_table() -> None:
    """What a conversation can be to the others is explained, each with its ground."""
    words = set(re.findall(r"^\| ([a-z-]+) \|", (ROOT / "docs/trace.md").read_text(encoding="utf-8"), re.M))
    assert {role.value.replace("_", "-") for role in Role} <= words


def test_every_standing_is_in_the_table() -> None:
    """The report's page explains each word and mark that a case can be counted under, the worst first."""
    shown = [
        (mark, word)
        for marks, words, _ in rows(ROOT / "docs/report.md", "mark")
        for mark, word in zip(marks.split(), words.split(", "), strict=True)
    ]
    assert shown == [(standing.mark, standing.word) for standing in Standing]


def test_every_setting_is_in_the_table() -> None:
    """The README names the keys of `[tool.harness]`, no more and no fewer."""
    assert {name for cell, _ in rows(ROOT / "README.md", "setting") for name in re.findall(r"`(\w+)`", cell)} == _KNOWN


def test_the_floors_are_in_the_table() -> None:
    """The architecture page shows the floors that the test of the imports holds."""
    shown = {
        int(floor.split()[0]): sorted(Path(room).stem for room in re.findall(r"`([^`]+)`", rooms))
        for floor, rooms, _ in rows(ROOT / "docs/architecture.md", "floor")
    }
    assert shown == {floor: sorted(rooms) for floor, rooms in FLOORS.items()}


def test_every_dependency_is_accounted_for() -> None:
    """Each runtime dependency and each extra has its row, and each tool of development is named."""
    page = ROOT / "docs/dependencies.md"
    extras = PYPROJECT["optional-dependencies"]
    runtime = {distribution(line) for line in PYPROJECT["dependencies"]}
    optional = {distribution(line) for name, lines in extras.items() if name != "dev" for line in lines}
    named = {
        name.lower(): "(extra" in cell
        for cell, *_ in rows(page, "package")
        for name in cell.partition(" (")[0].split(", ")
    }
    assert named == {**dict.fromkeys(runtime, False), **dict.fromkeys(optional, True)}
    development = page.read_text(encoding="utf-8").partition("\nDevelopment: ")[2].partition("\n\n")[0].lower()
    assert [line for line in map(distribution, extras["dev"]) if line not in development + PYPROJECT["name"]] == []


def test_what_tests_import_is_installed_with_them() -> None:
    """A clone that installs `[dev]` has all that the tests import; nothing is there by luck."""
    lines = PYPROJECT["dependencies"] + [
        line for lines in PYPROJECT["optional-dependencies"].values() for line in lines
    ]
    declared = {distribution(line) for line in lines} | {"harness", "scenarios", "tests"}
    owners = packages_distributions()
    for file in sorted((ROOT / "tests").rglob("*.py")):
        for name in imported(ast.parse(file.read_text(encoding="utf-8"))) - sys.stdlib_module_names:
            assert declared & {name, *(owner.lower() for owner in owners.get(name, ()))}, f"{file} imports {name}"


def imported(tree: ast.Module) -> set[str]:
    """The top-level names that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_every_cassette_says_that_it_is_simulated() -> None:
    """Nobody takes the shipped recordings for a model's words."""
    files = sorted((ROOT / "cassettes").rglob("*.yaml"))
    assert len(files) > 12
    for file in files:
        head: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8").partition("\ninteractions:")[0])
        assert "simulated provider" in head["metadata"]["recorded_from"], file
