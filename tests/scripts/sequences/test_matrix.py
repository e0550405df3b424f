"""Every learner with every memory, from the command line: train, resume, evaluate, watch."""

from pathlib import Path

import pygame
import pytest

from sidestep.scripts import evaluate, train, watch
from sidestep.sequence import MEMORIES
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

SIZES = "--num-envs 5 --rollout-steps 3 --hidden-sizes 7 --memory-size 11 --memory-window 3"
BRIEF = "--gif-episodes 0 --episodes 13 --evaluate-every 0"


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_trains_resumes_evaluates_and_can_be_watched(
    learner: str,
    memory: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    folder = tmp_path / "run"
    options = f"{learner} --memory {memory} --total-steps 120 {SIZES} {BRIEF}"
    train.main([*options.split(), "--out", str(folder)])
    train.main(["resume", str(folder), "--total-steps", "300", *BRIEF.split()[:4]])
    tensors, facts = load_checkpoint(latest_checkpoint(folder))
    assert facts["steps"] >= 300
    kinds = {name.split(".")[2] for name in tensors if name.startswith("agent.network.")}
    assert ("memory" in kinds) == (memory != "none")
    capsys.readouterr()
    evaluate.main([str(folder), "--episodes", "17"])
    assert "17 episodes" in capsys.readouterr().out
    watch.main([str(folder), "--seed", "1", "--fps", "1000", "--episodes", "1"])
    assert "in 1 episode" in capsys.readouterr().out
    pygame.display.quit()
