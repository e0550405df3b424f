"""Wrong flags end with one line that says what was expected, and exit code 2."""

import importlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import torch
from rich.console import Console
from rich.text import Text

from sidestep.agents import ReinforceConfig
from sidestep.agents.acting.encoding import CHANNELS_AXES
from sidestep.agents.algorithms.reinforce import BASELINES
from sidestep.agents.networks import NetworkConfig
from sidestep.scripts import cli, evaluate, record, train
from sidestep.scripts.bench import BENCHES
from sidestep.scripts.figures import shapes
from sidestep.scripts.shared.console import (
    Output,
    console,
    guarded,
    parse,
    progress,
    say,
    table,
    visible,
    whole_number,
)
from sidestep.scripts.viewer.panels.registry import NAMES
from sidestep.sequence import MEMORIES

CLI = [sys.executable, "-m", "sidestep.scripts.cli"]
BRIEF = "--num-envs 2 --rollout-steps 4 --hidden-sizes 7 --episodes 3 --evaluation-episodes 2"


@dataclass(frozen=True)
class Sizes:
    """Numbers of three kinds."""

    sizes: tuple[int, ...] = ()
    most: int | None = None
    share: float = 0.5


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("train deep-sarsa --discount 2", "discount: expected a number in [0, 1], got 2.0"),
        ("train deep-sarsa --memory elman", "memory: expected one of none, rnn"),
        ("train deep-sarsa --num-envs x", "--num-envs: expected a whole number, got 'x'"),
        ("train deep-sarsa --nonsense 3", "Unrecognized options: --nonsense"),
        ("train reinforce --batch rollout --baseline none", "batch rollout: expected baseline"),
        ("train sarsa", "expected a learner (deep-sarsa, reinforce, resume), got 'sarsa'"),
        ("train deep-sarsa --env Nope-v0", "`Nope` doesn't exist"),
        ("bench nothing", "expected a bench (all, world"),
        ("nothing", "expected a command"),
        ("trian", "got 'trian' (did you mean train?)"),
        ("train deep-sarsaa", "got 'deep-sarsaa' (did you mean deep-sarsa?)"),
        ("bench lerning", "got 'lerning' (did you mean learning?)"),
        ("lm trian", "got 'trian' (did you mean train?)"),
        ("translate rn", "got 'rn' (did you mean run?)"),
        ("train deep-sarsa --memry gru", "--memry, gru (did you mean --memory?)"),
        ("train deep-sarsa --memry=gru", "--memry, gru (did you mean --memory?)"),
        ("train deep-sarsa --num-envs=x", "--num-envs: expected a whole number, got 'x'"),
        ("lm train --hiden-size 3", "--hiden-size, 3 (did you mean --hidden-size?)"),
        ("watch x --laness 3 --spedd 4", "--laness, 3, --spedd, 4 (did you mean"),
        ("train deep-sarsa --memory gruu", "lstm, gru, attention, got 'gruu' (did you mean gru?)"),
        ("record x --out a.gif --pick frist", "first-failure, got 'frist' (did you mean first?)"),
        ("watch x --panels vales", "got 'vales' (did you mean values?)"),
        ("play --level romms", "got 'romms' (did you mean rooms?)"),
        ("train deep-sarsa --env Crossing-v0", "Did you mean: `sidestep/Crossing-v0`?"),
        ("train reinforce --env cartpole", "Did you mean: `CartPole-v1`?"),
        ("solve --env MovingObstacle-v0", "Did you mean: `sidestep/MovingObstacles-v0`?"),
        ("watch --optimum --env sidestep/Crossin", "Did you mean: `sidestep/Crossing-v0`?"),
        ("train deep-sarsa --total-steps 1.5", "--total-steps: expected a whole number, got '1.5'"),
        ("train deep-sarsa --seed 1e-3", "--seed: expected a whole number, got '1e-3'"),
        ("train deep-sarsa --total-steps 1e9999", "expected a whole number, got '1e9999'"),
        ("train deep-sarsa --discount x", "--discount: expected a number, got 'x'"),
        ("evaluate x --episodes all", "--episodes: expected a whole number or None, got 'all'"),
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


@pytest.mark.parametrize(
    ("word", "number"),
    [("1e5", 100_000), ("1_000", 1000), ("2.5e6", 2_500_000), ("-3", -3), ("1E+2", 100), ("7", 7)],
)
def test_whole_numbers_in_powers_of_ten(word: str, number: int) -> None:
    assert whole_number(word) == number
    options = parse(Sizes, "sizes", ["--sizes", word, "2", "--most", word, "--share", "1e-3"], "")
    assert options == Sizes((number, 2), number, 1e-3)
    assert type(options.sizes[0]) is int


@pytest.mark.parametrize("word", ["", "e5", "1e", "nan", "inf", "1e-1", "0.5", "1e101", "one"])
def test_what_is_no_whole_number(word: str) -> None:
    with pytest.raises(ValueError, match=f"expected a whole number, got '{word}'"):
        whole_number(word)


def test_help_lists_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    """`--memory STR` said nothing."""
    for words, choices in {
        "train deep-sarsa": ["{none,rnn,lstm,gru,attention}", "{sarsa,expected}", "{huber,squared}",
                             "{auto,native,sync,async}", f"{{{','.join(CHANNELS_AXES)}}}"],
        "train reinforce": ["{episodes,rollout}", "{none,mean,time,leave-one-out,value}"],
        "watch": [f"[{{{','.join(NAMES)}}}"],
        "record": [f"[{{{','.join(NAMES)}}}", "{first,best,worst,first-failure}"],
        "bench memory": ["{moving-obstacles,glimpse,crossing}", "{deep-sarsa,reinforce}"],
    }.items():  # fmt: skip
        with pytest.raises(SystemExit) as stop:
            cli.main([*words.split(), "--help"])
        assert not stop.value.code
        printed = capsys.readouterr().out
        for choice in choices:
            assert choice in printed
    assert NetworkConfig.choices["memory"] is MEMORIES
    assert get_args(get_type_hints(NetworkConfig)["channels_axis"]) == CHANNELS_AXES
    assert get_args(get_type_hints(ReinforceConfig)["baseline"]) == BASELINES


def test_nothing_is_written_into_docs_of_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sidestep levels` replaced whatever levels.md somebody had in a folder docs/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    cli.main(["levels"])
    cli.main(["gradients", "--steps", "3", "--hidden-size", "2"])
    shapes.main([])
    assert list((tmp_path / "docs").iterdir()) == []
    written = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.png")}
    assert {path.parts[:2] for path in written} == {
        ("runs", "levels"), ("runs", "gradients"), ("runs", "shapes"),
    }  # fmt: skip
    printed = capsys.readouterr().out
    assert all(str(path) in printed for path in written)
    for name in BENCHES:
        module = importlib.import_module(f"sidestep.scripts.benches.{name}")
        assert module.Options().out == Path("runs/bench"), name


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt, 130), (ValueError, 2), (ZeroDivisionError, None)]
)
def test_ctrl_c_however_deep(
    error: type[BaseException], code: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A compiler that is interrupted cleans up, and raises an error of its own."""

    def action() -> None:
        try:
            raise error("stop")
        except BaseException:
            if error is not ValueError:
                raise RuntimeError("failed in nopython mode")  # noqa: B904
            raise

    with pytest.raises(SystemExit if code else RuntimeError) as stop:
        guarded("play", action)
    assert code is None or getattr(stop.value, "code", None) == code
    words = {130: "sidestep play: interrupted\n", 2: "sidestep play: stop\n", None: ""}
    assert capsys.readouterr().err == words[code]


def test_help_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("--help", "train --help", "bench --help", "train deep-sarsa --help"):
        try:
            cli.main(words.split())
        except SystemExit as stop:
            assert not stop.code
        assert "sidestep" in capsys.readouterr().out


def test_what_a_terminal_would_obey_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    words = "a\x1b[2J\r\n\tb\x9b\x00\x7f\udc80"
    assert visible(words) == "a\u241b[2J\u240d\n\tb\ufffd\u2400\u2421\ufffd"
    output = Output()
    output.print("\x1b[1m", Text("\x9b2J"), table("\x1bt", ["\x1bc"], [["\x07r"]]))
    output.say("\x1bs")
    printed = capsys.readouterr().out
    assert not set("\x1b\x9b\x07") & set(printed)
    assert all(w in printed for w in ("\u241b[1m", "\u241bt", "\u241bc", "\u2407r", "\u241bs"))

    def fail() -> None:
        raise ValueError("got \x1b[31m\udc80")

    with pytest.raises(SystemExit):
        guarded("x", fail)
    assert capsys.readouterr().err == "sidestep x: got \u241b[31m\ufffd\n"


def test_memory_that_is_not_there_and_last_words_end_with_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def ask() -> None:
        torch.empty(2**60)

    def leave() -> None:
        raise SystemExit("last words")

    for action, words in ((ask, "expected sizes that fit the memory"), (leave, "last words")):
        with pytest.raises(SystemExit) as stop:
            guarded("x", action)
        error = capsys.readouterr().err
        assert stop.value.code == 2 and words in error and error.count("\n") == 1

    def other() -> None:
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError):
        guarded("x", other)


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
    words = f"deep-sarsa --total-steps 40 --gif-episodes 1 {BRIEF}".split()
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


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_a_full_disk_under_standard_output_does_not_end_training(tmp_path: Path) -> None:
    words = f"train deep-sarsa --total-steps 200 --gif-episodes 0 {BRIEF}".split()
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*CLI, *words, "--out", str(tmp_path / "run")],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (tmp_path / "run" / "curve.png").exists()
    assert done.stderr.count("standard output: No space left on device; the work goes on") == 1


def test_a_reader_who_leaves_does_not_change_the_exit_code() -> None:
    for words in ("--help", "watch --help"):
        assert unread(*words.split()) == (0, "")
    code, error = unread("levels", "--nope")
    assert code == 2 and error.startswith("sidestep levels: ") and error.count("\n") == 1
