"""Wrong flags end with one line that says what was expected, and exit code 2."""

import pytest
from rich.console import Console

from sidestep.scripts import cli
from sidestep.scripts.console import table


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
