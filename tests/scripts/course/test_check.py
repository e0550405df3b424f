"""`sidestep check`: answers pass, planted mistakes fail with their hint, nothing else escapes."""

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sidestep.scripts import check
from sidestep.scripts.course.chapters import CHAPTERS
from sidestep.scripts.course.checking import Report, judge
from sidestep.scripts.course.exercise import Exercise, Mistake
from sidestep.scripts.course.student import Event, look
from sidestep.scripts.course.values import Row, alike, difference, value_of, words_for

ANSWERS = Path(__file__).resolve().parents[3] / "docs" / "course" / "answers"
EXERCISES = [
    pytest.param(number, exercise, id=f"{number}-{exercise.name}")
    for number, chapter in CHAPTERS.items()
    for exercise in chapter.exercises
]
MISTAKES = [
    pytest.param(number, exercise, mistake, id=f"{number}-{mistake.function.__name__}")
    for number, chapter in CHAPTERS.items()
    for exercise in chapter.exercises
    for mistake in exercise.mistakes
]


def report(path: Path, number: str) -> Report:
    """What the command finds, without a process of its own."""
    told: list[Event] = []
    look(path, CHAPTERS[number].exercises, told.append, lambda: None)
    return judge(told, CHAPTERS[number])


def said(tmp_path: Path, number: str, source: str, lang: Any = "en") -> str:
    """What is printed about a file of this source."""
    path = tmp_path / "mine.py"
    path.write_text(source, encoding="utf-8")
    found = report(path, number)
    options = check.Options(number, path, lang=lang)
    assert path.read_text(encoding="utf-8") == source
    return "\n".join(check.lines(found, CHAPTERS[number], number, path, options))


@pytest.mark.parametrize("number", CHAPTERS)
def test_our_answers_pass(number: str) -> None:
    """They are written by hand, what they are compared with comes from the package."""
    found = report(ANSWERS / f"{number}.py", number)
    assert found.right and len(found.verdicts) == 2
    for verdict in found.verdicts:
        assert verdict.right == len(verdict.exercise.inputs()) >= 4 and not verdict.changes


@pytest.mark.parametrize(("number", "exercise", "mistake"), MISTAKES)
def test_a_planted_mistake_fails_with_its_hint(
    number: str, exercise: Exercise, mistake: Mistake, tmp_path: Path
) -> None:
    module = mistake.function.__module__
    source = f"from {module} import {mistake.function.__name__} as {exercise.name}\n"
    english = said(tmp_path, number, source)
    assert f"hint: {mistake.hint}" in english and english.count("hint: ") == 1
    korean = said(tmp_path, number, source, "ko")
    assert f"실마리: {mistake.korean}" in korean and re.search("[가-힣]", mistake.korean)
    assert mistake.hint.endswith(".") and mistake.korean.endswith(".")


@pytest.mark.parametrize(("number", "exercise"), EXERCISES)
def test_an_unknown_mistake_is_shown_without_a_hint(
    number: str, exercise: Exercise, tmp_path: Path
) -> None:
    """Another number than ours, in every place of what is returned."""
    module, name = exercise.answer.__module__, exercise.name
    source = f"""from {module} import {name} as ours

def moved(value):
    if isinstance(value, tuple):
        return tuple(moved(part) for part in value)
    return [7] if isinstance(value, list) else value + 7

def {name}(*arguments):
    return moved(ours(*arguments))
"""
    text = said(tmp_path, number, source)
    assert f"{name}" in text and "wrong: 0 of" in text and "first wrong input, number 1:" in text
    assert "expected " in text and "got " in text and "hint" not in text
    for argument in exercise.arguments:
        assert f"    {argument}" in text


@pytest.mark.parametrize("number", CHAPTERS)
def test_a_template_is_asked_to_return_something(number: str, tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    check.main([number, str(path), "--template"])
    text = said(tmp_path, number, path.read_text(encoding="utf-8"))
    assert text.count("returns nothing (None): is a return missing?") == 2


def test_a_template_is_written_over_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    path.write_text("mine = 1\n")
    for words in (["3", str(path)], ["3", str(tmp_path)], ["3", str(tmp_path / "no" / "x.py")]):
        with pytest.raises(SystemExit) as stop:
            check.main([*words, "--template"])
        assert stop.value.code == 2
    assert path.read_text() == "mine = 1\n" and list(tmp_path.iterdir()) == [path]
    assert capsys.readouterr().err.count("\n") == 3


STATES = "def rnn_states(x, h, w_xh, w_hh, b):\n"
RIGHT = (
    STATES
    + """    states = []
    for x_t in x:
        h = torch.tanh(w_xh @ x_t + w_hh @ h + b)
        states.append(h)
"""
)
SAID = {
    "syntax": ("import torch\nx = = 1\n", "line 2 of mine.py: SyntaxError: invalid syntax"),
    "bytes": ("\0", "mine.py cannot be run"),
    "import": ("import nothing_of_that_name\n", "line 1 of mine.py: ModuleNotFoundError"),
    "exit on loading": ("import sys\nsys.exit(3)\n", "line 2 of mine.py: it ended the program"),
    "error": (STATES + "    return x.nothing\n", "line 2 of mine.py: AttributeError"),
    "deep error": (
        "def deep(x):\n    return x @ x @ 1\n\n" + STATES + "    return deep(x)\n",
        "line 2 of mine.py: ",
    ),
    "missing": ("", "missing: write def rnn_states(x: Tensor, h: Tensor, w_xh: Tensor,"),
    "no function": ("rnn_states = 3\n", "expected a function, got 3"),
    "arguments": (
        "\n\ndef rnn_states(x, h):\n    return h\n",
        "line 3 of mine.py: expected the arguments (x, h, w_xh, w_hh, b), got (x, h)",
    ),
    "keywords": (
        "def rnn_states(*, x, h, w_xh, w_hh, b=0):\n    return h\n",
        "expected the arguments (x, h, w_xh, w_hh, b), got (*, x, h, w_xh, w_hh, b=0)",
    ),
    "order": (
        "def rnn_states(h, x, w_xh, w_hh, b):\n    return h\n",
        "line 1 of mine.py: expected the arguments (x, h, w_xh, w_hh, b), got (h, x, w",
    ),
    "type": (STATES + "    return 'states'\n", "expected numbers, got str"),
    "object": (STATES + "    return [object()]\n", "expected numbers, got (object)"),
    "shape": (STATES + "    return w_xh\n", "expected the shape (4, 2), got (2, 4)"),
    "ragged": (STATES + "    return [[1.0], [1.0, 2.0]]\n", "expected numbers, got ([1], [1, 2])"),
    "nan": (STATES + "    return x[:, :2] * float('nan')\n", "NaN, first at [0, 0]"),
    "exit": (STATES + "    exit()\n", "line 2 of mine.py: it ended the program (sys.exit)"),
    "endless recursion": (
        STATES + "    return rnn_states(x, h, w_xh, w_hh, b)\n",
        "line 2 of mine.py: RecursionError",
    ),
    "random": (
        "import torch\n" + STATES + "    return torch.rand(len(x), len(h))\n",
        "the same input gave two results",
    ),
    "kept": (
        "import torch\ncalls = []\n" + RIGHT
        + "    calls.append(1)\n    return torch.stack(states) + len(calls)\n",
        "the same input gave two results",
    ),
    "prints": (STATES + "    print('x', x)\n    return x\n", "your file printed:\n  x tensor("),
    "endless words": (STATES + "    print('x' * 9999)\n    return x\n", "  " + "x" * 90),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_what_can_go_wrong_is_told_in_one_line(case: str, tmp_path: Path) -> None:
    source, words = SAID[case]
    text = said(tmp_path, "02", source)
    assert words in text and "All right." not in text
    assert len(text) < 6000 and "Traceback" not in text
    korean = said(tmp_path, "02", source, "ko")
    assert korean != text and re.search("[가-힣]", korean)


@pytest.mark.parametrize(
    "returned",
    [
        "torch.stack(states)",
        "torch.stack(states).double().numpy()",
        "states",
        "[state.tolist() for state in states]",
        "tuple(states)",
        "torch.stack(states).requires_grad_()",
    ],
)
def test_numbers_may_come_in_any_coat(returned: str, tmp_path: Path) -> None:
    text = said(tmp_path, "02", f"import torch\n{RIGHT}    return {returned}\n")
    assert "rnn_states     right: 5 of 5 inputs" in text


def test_what_a_function_changes_harms_no_other_input(tmp_path: Path) -> None:
    body = RIGHT.replace("    states = []\n", "    x, h = x, h.clone()\n    states = []\n")
    body += "    x.zero_()\n    return torch.stack(states)\n"
    text = said(tmp_path, "02", f"import torch\n{body}")
    assert "right: 5 of 5 inputs\n  note: it changes x in place" in text


def test_what_must_not_be_changed_is_watched(tmp_path: Path) -> None:
    source = """def sarsa_update(w, x, action, target, rate):
    w[action] += rate * (target - w[action] @ x) * x
    return w
"""
    text = said(tmp_path, "10", source)
    assert "w must stay as it is, and was changed in place: work on a copy" in text


def test_whole_numbers_and_tuples_are_asked_for(tmp_path: Path) -> None:
    source = "def best_follower(units, values):\n    return 1.0\n"
    assert "expected whole numbers, got 1" in said(tmp_path, "06", source)
    source = "def attend(scores, e, valid):\n    return scores\n"
    assert "expected a tuple of 2, got [1, 2, 3]" in said(tmp_path, "09", source)
    source = "def attend(scores, e, valid):\n    return e[0], scores * 0 + 7\n"
    assert "context: the numbers differ, first at [0]" in said(tmp_path, "09", source)


def test_values_are_compared_to_rounding() -> None:
    one = np.array([1.0, 2.0])
    assert difference(one, value_of(torch.tensor([1.00001, 2.0]))) is None
    found = difference(one, value_of([1.0, 2.1]))
    assert found is not None and found.kind == "numbers" and found.details == {"place": (1,)}
    assert difference(np.array(0.5), value_of(0.5)) is None
    assert difference(np.array([-np.inf]), value_of(np.array([-np.inf]))) is None
    assert alike(value_of([float("nan")]), value_of(torch.tensor([float("nan")])))
    assert not alike(value_of((1, "a")), value_of((1, 2)))
    assert isinstance(value_of((1.0, [2.0])), Row)
    assert words_for(value_of(torch.arange(100.0).view(10, 10))).endswith("...], (10, 10)")
    assert words_for(value_of([1.0, 0.123456, -0.0])) == "[1, 0.1235, 0]"


def test_words_of_the_command_that_are_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "no.py")
    for words, told in (
        (["13", missing], "chapter: expected 01 to 12, got 13"),
        (["3"], "file: expected a Python file, got none"),
        (["3", missing], f"file: expected a Python file, got nothing at {missing}"),
        (["3", str(tmp_path)], "got a folder at"),
        (["--template"], "template: expected a chapter"),
        (["3", missing, "--seconds", "0"], "seconds: expected more than 0"),
        (["3", missing, "--lang", "fr"], "lang: expected one of"),
    ):
        with pytest.raises(SystemExit) as stop:
            check.main(words)
        assert stop.value.code == 2
        assert told in capsys.readouterr().err


def test_alone_it_lists_all_functions(capsys: pytest.CaptureFixture[str]) -> None:
    check.main([])
    text = capsys.readouterr().out
    for chapter in CHAPTERS.values():
        assert chapter.title in text
        for exercise in chapter.exercises:
            assert f"def {exercise.name}({exercise.arguments[0]}" in text


def test_a_loop_without_end_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "손으로 쓴 파일.py"
    source = "def sequence_loss(logits, targets):\n    while True:\n        pass\n"
    path.write_text(source, encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        check.main(["2", str(path), "--seconds", "2"])
    assert stop.value.code == 1
    text = capsys.readouterr().out
    assert re.search(r"line [23] of 손으로 쓴 파일\.py: still running after 2 s", text)
    assert "missing: write def rnn_states" in text and path.read_text("utf-8") == source


@pytest.mark.slow
def test_a_function_that_ends_everything_hides_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    source = f"import os\n\n{STATES}    os._exit(0)\n\n"
    path.write_text(source + "def sequence_loss(logits, targets):\n    return logits.sum() * 0\n")
    with pytest.raises(SystemExit) as stop:
        check.main(["02", str(path)])
    text = capsys.readouterr().out
    assert stop.value.code == 1 and "it ended the program (exit code 0)" in text
    assert "sequence_loss  wrong: 0 of 5 inputs are right" in text and "got       0" in text


@pytest.mark.slow
def test_right_answers_and_a_file_that_takes_all_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check.main(["04", str(ANSWERS / "04.py"), "--lang", "ko"])
    assert "모두 맞았습니다." in capsys.readouterr().out
    path = tmp_path / "mine.py"
    if sys.platform != "linux":  # others do not hold a process to it
        return
    path.write_text("x = []\n\nx.append(bytearray(10**10))\n")
    with pytest.raises(SystemExit) as stop:
        check.main(["04", str(path)])
    assert stop.value.code == 1
    assert "line 3 of mine.py: MemoryError" in capsys.readouterr().out
