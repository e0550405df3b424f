"""`sidestep bench all`: what is made in which order, what is done already, and when it refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts import bench
from sidestep.scripts.benches import all as every
from sidestep.scripts.benches import machine, quiet, skeleton, tasks, throughput
from sidestep.scripts.benches.records import known_result, write_result
from sidestep.scripts.shared.console import parse

Make = Callable[..., list[str]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    """Calls the command on a quiet machine at commit `abc`; sections are only written down."""
    sections = {
        "tasks": every.Section("tasks --seeds 2", 90, "--seeds 1", ("there",)),
        "throughput": every.Section("throughput", 30, "--rounds 1"),
        "devices": every.Section("devices", 5, "", (every.GPU,)),
    }
    monkeypatch.setattr(every, "SECTIONS", sections)
    monkeypatch.setattr(every, "_has", lambda package: package == "there")
    monkeypatch.setattr(every.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "commit", lambda: "abc")
    monkeypatch.setattr(quiet, "busy", lambda *args, **words: None)
    calls: list[str] = []

    def make(words: list[str]) -> int:
        calls.append(" ".join(words[:-2]))
        kind: Any = {"tasks": tasks, "throughput": throughput}[words[0]]
        options = parse(kind.Options, words[0], list(words[1:]), "")
        write_result(options, words[0], {"runs": {}}, f"## {words[0]}")
        return 0

    monkeypatch.setattr(every, "make", make)

    def run(*words: str) -> list[str]:
        calls.clear()
        bench.main(["all", *words, "--out", str(tmp_path)])
        return list(calls)

    return run


def test_all_is_made_in_order_and_once(
    made: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made("--plan") == [] and "about 2.0 hours" in capsys.readouterr().out
    assert made() == ["tasks --seeds 2", "throughput"]
    said = capsys.readouterr().out
    assert "2 of 3 sections" in said and "left out: needs a GPU" in said
    assert known_result(tmp_path, "tasks")["options"]["seeds"] == 2
    assert "All sections were made at commit `abc`." in (tmp_path / "results.md").read_text()
    assert made() == [] and "0 of 3 sections" in capsys.readouterr().out
    monkeypatch.setattr(every, "_has", lambda package: False)
    made()
    assert "left out: needs there" in capsys.readouterr().out


def test_what_is_of_another_commit_or_option_or_half_done_is_made_again(
    made: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made()
    options = tasks.Options(tmp_path, seeds=3)
    write_result(options, "tasks", {"runs": {"some": {}}}, "## tasks")
    assert made() == ["tasks --seeds 2"]
    options = tasks.Options(tmp_path, seeds=2)
    write_result(options, "tasks", {"runs": {"some": {}}}, "## tasks", finished=False)
    kept: list[Any] = []
    make = every.make
    monkeypatch.setattr(
        every, "make", lambda words: kept.append(known_result(tmp_path, words[0])) or make(words)
    )
    assert made() == ["tasks --seeds 2"]
    assert kept[0]["runs"] == {"some": {}}  # of this commit: a bench goes on with it
    assert made("--only", "throughput") == []
    monkeypatch.setattr(machine, "commit", lambda: "def")
    assert made("--skip", "throughput") == ["tasks --seeds 2"]
    assert kept[1] == {}  # of another: its runs are made again
    write_result(tasks.Options(tmp_path, seeds=2, busy=True), "tasks", {}, "## tasks")
    assert made("--only", "tasks", "--busy") == []  # good enough for a busy page only
    assert made("--only", "tasks") == ["tasks --seeds 2"]


def test_it_refuses(
    made: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*words: str) -> str:
        with pytest.raises(SystemExit) as left:
            made(*words)
        assert left.value.code == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        return line

    assert "expected some of tasks, throughput, devices, got 'word'" in refused("--only", "word")
    assert "none.txt: expected a file, got none" in refused("--text", "none.txt")
    monkeypatch.setattr(quiet, "busy", lambda *args, **words: "the machine is busy: so and so")
    line = refused()
    assert line.startswith("sidestep bench all: the machine is busy: so and so; end that, or pass")
    assert made("--busy") == ["tasks --seeds 2 --busy", "throughput --busy"]
    monkeypatch.setattr(machine, "commit", lambda: "abc+changes")
    assert "to be of one commit, got uncommitted changes" in refused("--busy")
    assert made("--busy", "--quick") == ["tasks --seeds 1 --busy", "throughput --rounds 1 --busy"]
    monkeypatch.setattr(machine, "commit", lambda: "unknown")
    assert "got no commit of this code" in refused("--busy")


def test_it_waits_for_a_quiet_machine_and_stops_where_none_comes(
    made: Make,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    clock = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr(every.time, "sleep", sleep)
    monkeypatch.setattr(every.time, "monotonic", lambda: clock[0])
    looks = iter([None, None, "busy: first", "busy: second", None])
    monkeypatch.setattr(quiet, "busy", lambda *args, **words: next(looks))
    assert made() == ["tasks --seeds 2", "throughput"]
    assert slept == [every.PAUSE] * 2 and "Waiting: busy: first" in capsys.readouterr().out
    (tmp_path / "results" / "throughput.json").unlink()
    asked: list[Any] = []

    def busy(*args: Any, **words: Any) -> str | None:
        asked.append(words)
        return "busy" if words else None

    monkeypatch.setattr(quiet, "busy", busy)
    with pytest.raises(SystemExit) as left:
        made("--patience", "1")
    assert left.value.code == 2 and clock[0] >= 60
    assert "stays busy: not made: throughput; what is done is kept" in capsys.readouterr().err
    assert known_result(tmp_path, "tasks")["finished"]
    assert asked[:2] == [{}, {"load_too": False}]  # its own sections have made a load


def test_a_section_that_fails_does_not_stop_the_others(
    made: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = every.make
    monkeypatch.setattr(every, "make", lambda words: 1 if words[0] == "tasks" else make(words))
    with pytest.raises(SystemExit):
        made()
    assert "failed: tasks" in capsys.readouterr().err
    monkeypatch.setattr(every, "make", make)
    assert made() == ["tasks --seeds 2"]


def test_it_stops_where_the_code_changes(
    made: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = every.make

    def edit(words: list[str]) -> int:
        make(words)
        monkeypatch.setattr(machine, "commit", lambda: "abc+changes")
        return 0

    monkeypatch.setattr(every, "make", edit)
    with pytest.raises(SystemExit):
        made()
    assert "the code has changed: not made: throughput;" in capsys.readouterr().err


def test_every_section_of_the_table_can_be_asked_for(tmp_path: Path) -> None:
    """Its words are known to its bench, and its record's name is the bench's own."""
    file = tmp_path / "file"
    file.write_text("words")
    for quick in (False, True):
        options = every.Options(tmp_path, text=file, pairs=file, quick=quick, busy=True)
        for name, section in every.SECTIONS.items():
            if name not in ("sequence-gpu",):  # which is refused where no GPU is
                words = every._words(section, options)
                kind: Any = every.importlib.import_module(f"sidestep.scripts.benches.{words[0]}")
                found = parse(kind.Options, words[0], words[1:], "")
                assert found.out == tmp_path and found.busy
    assert set(bench.BENCHES) - {"all"} == {s.words.split()[0] for s in every.SECTIONS.values()}
    published = every.Path(__file__).resolve().parents[3] / "docs" / "results"
    assert {path.stem for path in published.glob("*.json")} <= set(every.SECTIONS)
    assert skeleton.Flags(tmp_path).busy is False
    assert json.dumps(every.SECTIONS["learning"].needs)


def test_a_look_at_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    proc = tmp_path / "proc"

    def write(busy_ticks: int, theirs: int) -> None:
        (proc / "77").mkdir(parents=True, exist_ok=True)
        (proc / "stat").write_text(f"cpu {busy_ticks} 0 0 5000 10 0 0 0 0 0\ncpu0 1 2 3\n")
        fields = " ".join(["0"] * 10)
        (proc / "77" / "stat").write_text(f"77 (some (bench)) S {fields} {theirs} 0 0 0\n")

    clock = [0.0]
    ticks = quiet._ticks()

    def sleep(seconds: float) -> None:
        clock[0] += seconds
        write(100 + int(1.5 * ticks * seconds), 20 + int(1.25 * ticks * seconds))

    monkeypatch.setattr(quiet, "PROC", proc)
    monkeypatch.setattr(quiet.sys, "platform", "linux")
    monkeypatch.setattr(quiet.time, "sleep", sleep)
    monkeypatch.setattr(quiet.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(quiet.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(quiet, "load", lambda: 0.75)
    write(100, 20)
    assert quiet.used(2.0) == quiet.Use(1.5, "some (bench) (process 77)")
    write(100, 20)
    assert quiet.busy() == (
        "the machine is busy: its load average is 0.75, over 0.50 and others use 1.50 processors, "
        "over 0.2, most of it some (bench) (process 77)"
    )
    write(100, 20)
    assert "load" not in (quiet.busy(load_too=False) or "")
    monkeypatch.setattr(quiet.time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + 1))
    assert quiet.busy(load_too=False) is None  # nothing has moved
    monkeypatch.setattr(quiet, "PROC", tmp_path / "none")  # as on macOS: the load is all there is
    assert quiet.used(1.0) is None and "0.75" in (quiet.busy(load_too=False) or "")
    monkeypatch.setattr(quiet, "load", lambda: None)
    assert quiet.busy() is None
    monkeypatch.undo()
    monkeypatch.delattr(quiet.os, "getloadavg", raising=False)  # as on Windows
    assert quiet.load() is None


def test_pages_are_brought_up_to_date(
    made: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corrected: list[Path] = []
    monkeypatch.setattr(every.quotes, "correct", lambda root, out: corrected.append(out) or [])
    made()
    assert not corrected  # a trial elsewhere changes no page of the repository
    monkeypatch.setattr(every, "ROOT", tmp_path)
    bench.main(["all", "--out", str(tmp_path / "docs"), "--quick"])
    bench.main(["all", "--out", str(tmp_path / "docs"), "--plan"])
    assert not corrected
    bench.main(["all", "--out", str(tmp_path / "docs")])
    bench.main(["all", "--out", str(tmp_path / "docs")])  # nothing is left to be made
    assert corrected == [tmp_path / "docs"] * 2
