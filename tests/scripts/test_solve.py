"""`sidestep solve`: its table, its picture, what it plays, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from sidestep.envs import WorldConfig, solve
from sidestep.scripts.cli import main
from sidestep.scripts.figures.value_map import value_map


def cells(out: str) -> dict[str, str]:
    """The rows of the tables."""
    rows = [line.split("│") for line in out.splitlines() if line.count("│") == 3]
    return {name.strip(): value.strip() for _, name, value, _ in rows}


def test_figures(capsys: pytest.CaptureFixture[str]) -> None:
    main(["solve", "--env", "sidestep/Book-v0", "--env-kwargs", "step_reward=-0.1"])
    table = cells(capsys.readouterr().out)
    assert (table["optimal return"], table["discounted by 0.99"]) == ("0.2000", "0.1595")
    assert (table["success"], table["mean length"]) == ("100.00%", "8.000")
    assert (table["time limit"], table["starts"], table["states of a start"]) == (
        "none",
        "1 (all)",
        "400",
    )


def test_plays_what_it_found(capsys: pytest.CaptureFixture[str]) -> None:
    main(["solve", "--episodes", "50", "--seeds", "50", "--discount", "1"])
    table = cells(capsys.readouterr().out)
    assert table["starts"].endswith("(of the seeds)")
    assert table["mean return"].split()[0] == table["optimal return"] == table["optimum"]
    assert table["regret"].split()[0] in ("0.0000", "-0.0000")


def test_several_levels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, levels = tmp_path / "optimum.png", "levels=['S.>\\n..G', 'S..\\n<..\\n..G']"
    args = ["solve", "--env-kwargs", levels, "--number", "1", "--out", str(picture)]
    main([*args, "--episodes", "5", "--discount", "1"])
    table = cells(capsys.readouterr().out)
    assert (table["levels"], table["starts"]) == ("2", "16 (all)")
    assert (table["easiest level"], table["hardest level"]) == (
        "0.8500 (number 0)",
        "0.8000 (number 1)",
    )
    assert table["optimal return"] == table["optimum"] == "0.8250"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_can_be_had_by_who_sees_only_what_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "level.txt").write_text("S>.\n.^G")
    level = ["--level", str(tmp_path / "level.txt"), "--max-episode-steps", "5"]
    main(["solve", *level, "--env", "sidestep/Glimpse-v0", "--shown"])
    table = cells(capsys.readouterr().out)
    assert table["optimal return"] == "0.8125"
    assert table["remembering all that is shown"].startswith("0.8")
    remembered = float(table["remembering all that is shown"].split(",")[0])
    without = float(table["without a memory (search)"].split(",")[0])
    assert without <= remembered <= 0.8125
    main(["solve", *level, "--env", "sidestep/Glimpse-v0"])
    assert "remembering all that is shown" not in cells(capsys.readouterr().out)


def test_named_level(capsys: pytest.CaptureFixture[str]) -> None:
    main(["solve", "--level", "detour"])
    table = cells(capsys.readouterr().out)
    assert table["starts"] == "1 (all)" and "levels" not in table


def test_level_file_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    level, picture = tmp_path / "level.txt", tmp_path / "optimum.png"
    level.write_text("S.v\n.#.\n..G\n")
    main(["solve", "--level", str(level), "--out", str(picture), "--phase", "3", "--start", "2"])
    assert cells(capsys.readouterr().out)["starts"] == "8 (all)"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_no_finite_optimum_without_discount(capsys: pytest.CaptureFixture[str]) -> None:
    main(["solve", "--env", "sidestep/Book-v0", "--env-kwargs", "step_reward=0.1"])
    table = cells(capsys.readouterr().out)
    assert table["optimal return"] == "no finite one"
    assert table["discounted by 0.99"] == "10.0000"  # 0.1 / (1 - 0.99): it waits for ever


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--env", "CartPole-v1"], "expected a WorldConfig or a world of this package"),
        (["--discount", "2"], "expected a number in [0, 1], got 2.0"),
        (["--out", "x.png", "--phase", "100"], "tick: expected 0 to 99, got 100"),
        (["--out", "x.png", "--start", "1024"], "start: expected 0 to 1023, got 1024"),
        (["--level", "none.txt"], "none.txt"),
        (["--level", "bytes.txt"], "'bytes.txt', row 1: expected text in UTF-8, got byte 0xff"),
        (["--level", "nowhere"], "or one of three-rows, course"),
        (["--out", "x.png", "--number", "1"], "number: expected 0 to 0, got 1"),
        (["--env", "sidestep/Crossing-v0"], "random starts: expected at most 65,536"),
        (["--out", "none/x.png"], "out: expected a folder that is there, got none"),
        (["--phase", "-1"], "phase: expected at least 0, got -1"),
        (["--level", "gate", "--env-kwargs", "level=rooms"], "expected --level or level= of"),
        (["--env", "sidestep/Crossing-v0", "--level", "gate"], "level, pool: expected one of them"),
        (["--seeds", "0"], "seeds: expected at least 1, got 0"),
        (["--env", "sidestep/Book-v0", "--shown"], "expected a time limit and patrols only"),
        (
            ["--env", "sidestep/Book-v0", "--env-kwargs", "step_reward=0.1", "--episodes", "3"],
            "expected ones that end",
        ),
    ],
)
def test_wrong_input_is_said(
    args: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bytes.txt").write_bytes(b"S.\xff\nG..")
    with pytest.raises(SystemExit) as caught:
        main(["solve", *args])
    error = capsys.readouterr().err
    assert caught.value.code == 2 and words in error and "Traceback" not in error
    assert not (tmp_path / "x.png").exists()


def texts(figure: Any) -> list[list[str]]:
    return [[text.get_text() for text in axes.texts] for axes in figure.axes[:2]]


def test_value_map_shows_values_and_arrows() -> None:
    solution = solve(WorldConfig(level="S.#\n..#\n#.G"), 1.0, 10)
    numbers, arrows = texts(value_map(solution, 0, 0))
    assert sorted(numbers) == ["0.80", "0.85", "0.85", "0.90", "0.95", "G"]
    assert arrows == ["G"] + [""] * 5  # one for each cell but the goal
