"""`sidestep watch`: a run from its checkpoint, live in a window."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pygame
import pytest

from sidestep.envs.drawing.board import Window
from sidestep.scripts import play, train, watch


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    flags = "--total-steps 2000 --num-envs 16 --episodes 10 --gif-episodes 0 --evaluate-every 0"
    train.main(["deep-sarsa", *flags.split(), "--out", str(folder)])
    return folder


@pytest.fixture(autouse=True)
def dummy_screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    yield
    pygame.display.quit()


def test_watching_repeats_with_the_seed(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for _ in range(2):
        watch.main([str(run_folder), "--seed", "5", "--fps", "1000", "--episodes", "2"])
        said.append(capsys.readouterr().out)
    assert "successes in 2 episodes, mean return" in said[0]
    assert said[0] == said[1]


def test_quit_by_key(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quit_key = pygame.Event(pygame.KEYDOWN, key=pygame.K_q)
    monkeypatch.setattr(Window, "events", lambda self: [quit_key])
    watch.main([str(run_folder), "--sampled", "--checkpoint", "last"])
    assert capsys.readouterr().out == "0 successes in 0 episodes\n"


def test_wrong_input(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(run_folder)
    for args in (
        ["no-such-run"],
        [run, "--checkpoint", "nothing"],
        [run, "--fps", "inf"],
        [run, "--fps", "1001"],
        [run, "--env", "sidestep/Glimpse-v0"],
        [run, "--optimum", "--sampled"],
    ):
        with pytest.raises(SystemExit) as stop:
            watch.main(args)
        error = capsys.readouterr().err
        assert stop.value.code == 2
        assert error.startswith("sidestep watch: ") and error.count("\n") == 1


@pytest.mark.parametrize("command", [watch, play])
def test_without_a_screen_one_line_for_who_uses_commands(
    command: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It named a keyword of Python's, and SDL's and the window system's own words came before."""

    def refused(self: Window, width: int, height: int) -> None:
        os.write(2, b"error: XDG_RUNTIME_DIR is invalid or not set in the environment.\n")
        raise OSError("window: expected a screen, got none; draw with render_mode='rgb_array'")

    monkeypatch.setattr(Window, "open", refused)
    with pytest.raises(SystemExit) as stop:
        command.main(["--optimum"] if command is watch else [])
    name = command.__name__.rpartition(".")[2]
    assert stop.value.code == 2
    line = f"sidestep {name}: window: expected a screen, got none; `sidestep record` draws what"
    error = capfd.readouterr().err
    assert error == f"{line} `watch` shows without one\n"
    os.write(2, b"here again\n")  # standard error is as it was
    assert capfd.readouterr().err == "here again\n"
