"""Records and pages of benches: how they are written, their size, the commits they name."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts.benches import machine, records, translation
from sidestep.scripts.benches.learning import _rows
from sidestep.scripts.benches.learning_curves import thinned, trials_of
from sidestep.scripts.benches.records import (
    as_rows,
    commits_words,
    from_rows,
    lean,
    options_of,
    record_text,
    write_result,
)
from sidestep.scripts.benches.skeleton import Flags
from sidestep.scripts.shared.tables import markdown_table

DOCS = Path(__file__).resolve().parents[3] / "docs"
RECORDS = sorted((DOCS / "results").glob("*.json"))
MOST = 300_000
"""Bytes of all records."""


@dataclass(frozen=True)
class Options(Flags):
    rounds: int = 3
    text: Path | None = None
    names: tuple[str, ...] = ("a", "b")
    reuse: bool = True


def test_all_records_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in RECORDS}
    assert len(sizes) >= 14 and sum(sizes.values()) <= MOST, sizes


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_as_the_writer_writes_it(path: Path) -> None:
    """No finer number, no longer line and no more of them than a reader needs."""
    text = path.read_text("utf-8")
    assert text == record_text(lean(json.loads(text))) + "\n"


def test_the_published_table_of_learning_is_what_its_record_says() -> None:
    trials = trials_of(json.loads((DOCS / "results" / "learning.json").read_text("utf-8")))
    assert markdown_table(*_rows(trials)) in (DOCS / "results.md").read_text("utf-8")
    curves = [run.curve for runs in trials.values() for run in runs]
    again = sum(len(thinned(curve)) for curve in curves)
    assert again > 0.8 * sum(map(len, curves))  # they have been thinned


def test_json_by_hand() -> None:
    numbers = [[1, 0.5], [None, 123456789]] * 20
    record = {"a": numbers, "b": {"c": "x" * 40, "d": {"e": "y" * 60}}, "f": [], "g": [{"h": 1}]}
    line = json.dumps(numbers, separators=(",", ":"))
    assert record_text(record).splitlines() == [
        "{",
        f' "a": {line},',
        ' "b": {',
        f'  "c": "{"x" * 40}",',
        f'  "d": {{"e": "{"y" * 60}"}}',
        " },",
        ' "f": [],',
        ' "g": [{"h": 1}]',
        "}",
    ]
    assert json.loads(record_text(record)) == record
    assert lean({1: (1 / 3, 2, True, None)}) == {"1": [0.3333333, 2, True, None]}
    assert lean(1234567.89) == 1234568.0


def test_a_record_says_how_where_and_whether_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "commit", lambda: "0123abc")
    monkeypatch.setattr(machine, "LOAD", 1.234)
    options = Options(tmp_path, busy=True, text=Path("/where/words.txt"))
    assert options_of(options) == {"rounds": 3, "text": "words.txt", "names": ["a", "b"]}
    write_result(options, "some", {"figure": 0.25}, "## Some", finished=False)
    record = json.loads((tmp_path / "results" / "some.json").read_text())
    place = record["environment"]
    assert record["options"] == options_of(options) and record["finished"] is False
    assert place["commit"] == "0123abc" and place["busy"] is True and place["load"] == 1.23
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", place["date"])
    assert place["processor"] and place["cpus"] >= 1 and place["versions"]["numpy"]
    page = (tmp_path / "results.md").read_text()
    assert "on 1 processors" in page or f"on {place['cpus']} processors" in page
    assert "**not finished**, **on a busy machine** (load 1.23)" in page
    given = translation.Options(tmp_path, Path("pairs.txt"), True, 2, 3)  # busy is no position
    assert (given.pairs, given.quick, given.threads, given.seed, given.busy) == (
        Path("pairs.txt"), True, 2, 3, False,
    )  # fmt: skip
    write_result(Options(tmp_path), "some", {"figure": 0.5}, "## Some")
    page = (tmp_path / "results.md").read_text()
    assert "finished**" not in page and "busy" not in page and page.count("## Some") == 1


@pytest.mark.parametrize(
    ("commit", "was_busy", "is_busy", "stays"),
    [
        ("a" * 12, False, False, True),
        ("a" * 12, False, True, True),
        ("a" * 12, True, True, True),
        ("a" * 12, True, False, False),
        ("b" * 12, False, False, False),
    ],
)
def test_seconds_stand_beside_those_of_the_same_commit_on_as_quiet_a_machine(
    commit: str,
    was_busy: bool,
    is_busy: bool,
    stays: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (machine, records):
        monkeypatch.setattr(module, "commit", lambda: commit)
    write_result(Flags(out=tmp_path, busy=was_busy), "x", {"s": 1}, "## X")
    for module in (machine, records):
        monkeypatch.setattr(module, "commit", lambda: "a" * 12)
    found = records.timed_result(Flags(out=tmp_path, busy=is_busy), "x")
    assert (found.get("s") == 1) is stays and (found == {}) is not stays
    assert records.timed_result(Flags(out=tmp_path), "y") == {}


def test_runs_name_their_figures_once_and_commands_their_flags(tmp_path: Path) -> None:
    runs = {"a": {"s": 1.5, "n": None}, "b": {"s": 2.5, "n": 7}}
    assert as_rows(runs) == {"figures": ["s", "n"], "runs": {"a": [1.5, None], "b": [2.5, 7]}}
    assert from_rows(as_rows(runs)) == runs == from_rows({"runs": runs})
    assert from_rows({}) == {} == from_rows(as_rows({}))
    options = Options(tmp_path, 5, Path("/x/a b.txt"), ("a",), False, busy=True)
    write_result(options, "some", {}, "## Some")
    command = json.loads((tmp_path / "results" / "some.json").read_text())["command"]
    assert command == "sidestep bench some --rounds 5 --text 'a b.txt' --names a"
    write_result(Options(tmp_path), "some", {}, "## Some")
    assert "Made by `sidestep bench some` at" in (tmp_path / "results.md").read_text()


def test_a_page_says_which_commits_its_sections_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(name: str, commit: str, page: str = "results.md", busy: bool = False) -> str:
        monkeypatch.setattr(machine, "commit", lambda: commit)
        write_result(Options(tmp_path, busy=busy), name, {}, f"## {name.title()}", page=page)
        return (tmp_path / page).read_text()

    page = write("one", "aaa")
    assert page.startswith("# Results\n\n<!-- begin commits -->\nAll sections were made at commit")
    assert "at commit `aaa`." in page.split("<!-- end commits -->")[0]
    write("two-parts", "bbb")
    page = write("three", "aaa", busy=True)
    top = page.split("<!-- end commits -->")[0]
    assert "were made at 2 commits" in top and "Made on a busy machine: three." in top
    assert "- `aaa`: one, three\n- `bbb`: two-parts" in top
    assert [page.count(f"<!-- begin {name} -->") for name in ("commits", "one", "three")] == [1] * 3
    assert "commits" not in write("house", "ccc", page="architecture.md")


def test_the_published_page_says_which_commits_its_sections_come_from() -> None:
    page = (DOCS / "results.md").read_text("utf-8")
    assert commits_words(page, DOCS) in page
    for path in RECORDS:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        assert record["environment"]["commit"]


def test_a_page_is_no_change_of_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[list[str]] = []
    monkeypatch.setattr(machine, "_git", lambda words: said.append(list(words)) or "abc")
    assert machine.commit() == "abc+changes"
    assert ":(exclude,top)docs" in said[1] and ":(exclude,top,glob)*.md" in said[1]
    assert records.environment(True)["busy"] is True
