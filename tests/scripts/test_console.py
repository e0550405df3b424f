"""Wrong flags end with one line that says what was expected, and exit code 2."""

import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sidestep.scripts import cli, evaluate, record, train
from sidestep.scripts.console import console, progress, say, table

CLI = [sys.executable, "-m", "sidestep.scripts.cli"]
BRIEF = "--num-envs 2 --rollout-steps 4 --hidden-sizes 7 --episodes 3 --evaluation-episodes 2"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("train deep-sarsa --discount 2", "discount: expected a number in [0, 1], got 2.0"),
        ("train deep-sarsa --memory elman", "memory: expected one of none, rnn"),
        ("train deep-sarsa --num-envs x", "--num-envs: invalid literal for int()"),
        ("train deep-sarsa --nonsense 3", "Unrecognized options: --nonsense"),
        ("train reinforce --batch rollout --baseline none", "batch rollout: expected baseline"),
        ("train sarsa", "expected a learner (deep-sarsa, reinforce, resume), got 'sarsa'"),
        ("train deep-sarsa --env Nope-v0", "`Nope` doesn't exist"),
        ("bench nothing", "expected one of world"),
        ("nothing", "expected a command"),
    ],
)
def test_one_line_and_exit_code_2(
    words: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(words.split())
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert line in error and error.count("\n") == 1 and error.startswith("sidestep")


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("--help", "train --help", "bench --help", "train deep-sarsa --help"):
        try:
            cli.main(words.split())
        except SystemExit as stop:
            assert not stop.code
        assert "sidestep" in capsys.readouterr().out


def test_brackets_in_a_table_are_no_markup() -> None:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table("close [usd]", ["a [/b]", "c"], [["[/s] written", "[red]4"]]))
    assert all(word in captured.get() for word in ("close [usd]", "a [/b]", "[/s]", "[red]4"))


def test_lines_are_written_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    words = "[/red] [bold]x[/] :smile: \\[a] " + "runs/" * 40
    say(words)
    console.print("[/red] :smile:")
    with progress("{task.fields[now]}", transient=True) as bar:
        bar.update(bar.add_task("a [/b]", total=1, now="[/c]"), advance=1)
    printed = capsys.readouterr().out
    assert printed.startswith(f"{words}\n[/red] :smile:\n")


def test_folders_with_brackets_in_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A closing tag that nothing opened ended commands in an error of markup, after the work."""
    run = tmp_path / "x[" / "red]" / "[/red] :smile:"
    words = f"deep-sarsa --env CartPole-v1 --total-steps 40 --gif-episodes 1 {BRIEF}".split()
    train.main([*words, "--out", str(run)])
    assert f"Run folder: {run}\n" in capsys.readouterr().out
    train.main(["resume", str(run), "--total-steps", "80", "--episodes", "3"])
    evaluate.main([str(run), "--episodes", "3"])
    picture = run / "[b].png"
    record.main([str(run), "--out", str(picture), "--tick", "1"])
    assert f"{picture}: 1 frame of seed 0" in capsys.readouterr().out


def test_wide_letters_are_all_in_the_table() -> None:
    """Cells that fit no line were cut with an ellipsis; Hangul takes two columns a syllable."""
    text = "나는 학교에서친구들과함께노래를불렀습니다그리고집에갔다 끝"
    for width in range(24, 60):
        console = Console(width=width, markup=False, emoji=False)
        with console.capture() as captured:
            console.print(table("", ["read", "written"], [[text, "가나다라마바사아자차카타파하"]]))
        rows = [line.strip("│").split("│") for line in captured.get().splitlines() if "│" in line]
        columns = ["".join(row[k] for row in rows).replace(" ", "") for k in range(2)]
        assert columns == [text.replace(" ", ""), "가나다라마바사아자차카타파하"], width


def unread(*words: str) -> tuple[int, str]:
    """A command whose reader leaves before anything is written: its exit code, its errors."""
    pipe = subprocess.PIPE
    with subprocess.Popen([*CLI, *words], stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        error = process.stderr.read()
        return process.wait(120), error


def test_a_reader_who_leaves_does_not_end_training(tmp_path: Path) -> None:
    """As in `sidestep train ... | head -1`."""
    words = f"train deep-sarsa --env CartPole-v1 --total-steps 200 --gif-episodes 1 {BRIEF}".split()
    assert unread(*words, "--out", str(tmp_path / "run")) == (0, "")
    assert (tmp_path / "run" / "curve.png").exists() and (tmp_path / "run" / "greedy.gif").exists()


def test_a_reader_who_leaves_does_not_change_the_exit_code() -> None:
    for words in ("--help", "watch --help", "train --help", "bench --help"):
        assert unread(*words.split()) == (0, "")
    code, error = unread("levels", "--nope")
    assert code == 2 and error.startswith("sidestep levels: ") and error.count("\n") == 1
