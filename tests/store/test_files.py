"""Files are whole or as they were, and what can't be read is named."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.records.run import Run
from harness.settings import load_project
from harness.store import csv_text, json_text, merge_baselines, read_baseline, read_results, write_text, write_texts
from tests.comparing.test_compare import make_run


def test_write_replaces_whole(tmp_path: Path) -> None:
    """A second write replaces the first, and nothing else is left in the folder."""
    file = tmp_path / "deep" / "a.txt"
    write_text(file, "one\n")
    write_text(file, "two\n")
    assert file.read_bytes() == b"two\n"
    assert list(file.parent.iterdir()) == [file]


def test_failed_write_leaves_the_old(tmp_path: Path) -> None:
    """Text that can't be encoded leaves the old file and no rest beside it."""
    file = tmp_path / "a.txt"
    write_text(file, "one\n")
    with pytest.raises(UnicodeEncodeError, match="surrogates"):
        write_text(file, "\ud800")
    assert file.read_text() == "one\n"
    assert list(tmp_path.iterdir()) == [file]


def test_baseline_round_trip(tmp_path: Path) -> None:
    """What was accepted is read back equal; a scenario without a baseline is left out."""
    project = load_project(tmp_path, {})
    write_texts(merge_baselines(project, make_run()))
    assert read_baseline(project, ["desk/refund", "desk/other"]) == make_run()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema_version": 2, "cases": [], "trials": []}', b"\xff"])
def test_unreadable_results(tmp_path: Path, content: bytes) -> None:
    """A file that is no results of this version is named, with what to do."""
    file = tmp_path / "results.json"
    file.write_bytes(content)
    with pytest.raises(BadInputError, match=r"results\.json: is no results .* run `harness run` anew"):
        read_results(file)


def test_missing_results(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    with pytest.raises(BadInputError, match="can't be read: No such file"):
        read_results(tmp_path / "none.json")


def test_json_is_stable() -> None:
    """Equal records give equal bytes, money as text."""
    text = json_text(make_run())
    assert text == json_text(Run.model_validate_json(text))
    assert '"cost_usd": "0.01"' in text


def test_csv_holds_no_formula() -> None:
    """A reason that a spreadsheet would run is quoted."""
    run = make_run()
    trial = run.trials[0].model_copy(update={"reason": '=HYPERLINK("x")'})
    rows = list(csv.DictReader(io.StringIO(csv_text(Run(cases=run.cases, trials=(trial,))))))
    assert rows[0]["reason"].startswith("'=")
    assert rows[0]["tokens"] == "120"
