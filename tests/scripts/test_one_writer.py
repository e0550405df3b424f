"""A run's folder has one writer; a second command is refused and changes nothing in it."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts import evaluate, forecast, lm, train, translate

OLD = Path(__file__).parent / "golden" / "first_format"
HOLDER = """
import sys
from pathlib import Path
from sidestep.sequence.fitting.folder import writing
with writing(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_writer(folder: Path) -> Iterator[None]:
    words = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"locked\n"
        yield
        other.stdin.close()
        other.wait()


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


COMMANDS: dict[str, tuple[Callable[[list[str]], Any], list[str]]] = {
    "sarsa": (train.main, ["resume", "RUN", "--total-steps", "2100", "--gif-episodes", "0",
                           "--episodes", "2"]),
    "lm": (lm.main, ["resume", "RUN", "--updates", "22", "--file", "RUN/text.txt"]),
    "forecast": (forecast.main, ["resume", "RUN", "--updates", "22"]),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_resuming_beside_a_writer_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(OLD / name, tmp_path / name))
    command, words = COMMANDS[name]
    words = [word.replace("RUN", str(run)) for word in words]
    before = contents(run)
    with another_writer(run):
        with pytest.raises(SystemExit) as caught:
            command(words)
        error = capsys.readouterr().err
        assert caught.value.code == 2 and error.count("\n") == 1
        assert f"{run}: expected no other process that writes to it, got one at work" in error
        if name == "sarsa":
            evaluate.main([str(run), "--episodes", "2"])  # reading is open to all
    assert contents(run) == before
    command(words)  # it is free again
    assert contents(run).keys() != before.keys()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (train.main, ["deep-sarsa", "--total-steps", "50", "--gif-episodes", "0"]),
        (lm.main, ["train", str(OLD / "lm" / "text.txt"), "--updates", "1", "--rows", "2"]),
        (translate.main, ["train", "--task", "dates", "--updates", "1", "--hidden-size", "4"]),
        (forecast.main, ["--updates", "1"]),
    ],
)
def test_beginning_in_a_folder_that_is_being_written_is_refused(
    command: Any, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    with another_writer(folder):
        with pytest.raises(SystemExit):
            command([*words, "--out", str(folder)])
        assert "expected no other process that writes to it" in capsys.readouterr().err
    assert contents(folder) == {}
