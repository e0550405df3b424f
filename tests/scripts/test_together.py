"""The training command under torchrun: its one voice, its signals, and processes that die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sidestep.scripts import train
from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint

pytestmark = pytest.mark.slow

RUN = (
    "train deep-sarsa --memory gru --num-envs 6 --shards 2 --total-steps 6000 --episodes 4 "
    "--gif-episodes 0 --checkpoint-every 500 --evaluate-every 2000 --evaluation-episodes 9"
).split()


def torchrun(words: list[str], restarts: int = 0) -> subprocess.Popen[str]:
    launcher = "-m torch.distributed.run --standalone --nproc-per-node 2".split()
    launcher += ["--max-restarts", str(restarts)]
    return subprocess.Popen(
        [sys.executable, *launcher, "-m", "sidestep.scripts.cli", *words],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(pattern: str, folder: Path, process: subprocess.Popen[str]) -> None:
    while not list(folder.glob(pattern)):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)


def same(first: Path, second: Path) -> bool:
    (ours, facts), (theirs, other) = (
        load_checkpoint(latest_checkpoint(folder)) for folder in (first, second)
    )
    return facts["steps"] == other["steps"] and all(ours[k].equal(theirs[k]) for k in ours)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In one process."""
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    train.main([*RUN[1:], "--out", str(out)])
    return out


def test_a_killed_process_is_started_again_and_nothing_is_lost(
    undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = torchrun([*RUN, "--out", str(out)], restarts=2)
    wait_for("checkpoint-00000000[1-9]*.json", out, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[-1]), signal.SIGKILL)
    said, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-2000:]
    assert f"Started again: {out} goes on from its last checkpoint." in said.replace("\n", " ")
    assert said.count("Run folder:") == 1  # one of the two speaks
    assert same(undisturbed, out)


def test_a_signal_stops_both_with_a_checkpoint_that_one_goes_on_from(
    undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    process = torchrun([*RUN, "--out", str(out)])
    wait_for("checkpoint-00000000[1-9]*.json", out, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=300)
    assert "Stopped by SIGTERM" in said
    steps = load_checkpoint(latest_checkpoint(out))[1]["steps"]
    assert 500 <= steps < 6000
    train.main(["resume", str(out), "--episodes", "4", "--gif-episodes", "0"])
    assert same(undisturbed, out)


def test_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    for words, error in (
        (["--shards", "1"], "shards: expected at least as many as processes, 2, got 1"),
        (["--num-envs", "1"], "num_envs: expected at least one lane for each of 2 shards, got 1"),
        (["--learning-rate", "-1"], "learning_rate: expected a positive number, got -1.0"),
    ):
        process = torchrun([*RUN, "--out", str(tmp_path / "run"), *words])
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 1 and errors.count(f"sidestep train: {error}") == 1, errors
        assert not (tmp_path / "run").exists()
