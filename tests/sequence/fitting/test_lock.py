"""One writer a folder: a second one is told so, and a killed one leaves nothing locked."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sidestep.agents import (
    DeepSarsaConfig,
    EnvConfig,
    RunConfig,
    Trainer,
    TrainingConfig,
    make_vector,
)
from sidestep.agents.runs import build_agent
from sidestep.sequence.fitting.folder import LOCK, writing

TRAINING = TrainingConfig(total_steps=20, num_envs=2, evaluate_every=0)

HOLDER = """
import sys, time
from pathlib import Path
from sidestep.sequence.fitting.folder import writing
with writing(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(120)
"""


def test_one_process_at_a_time(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        for _ in range(3):  # trying does not break it
            with pytest.raises(BlockingIOError, match="expected no other process that writes to"):
                with writing(tmp_path):
                    pytest.fail("two writers")
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    with writing(tmp_path), writing(tmp_path):  # one process may say so twice
        pass
    with writing(tmp_path, new=True):
        assert {path.name for path in tmp_path.iterdir()} <= {LOCK}


def test_a_folder_in_use_is_no_new_one_and_gets_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError, match="expected a new folder for the run, got one in use"):
        with writing(tmp_path, new=True):
            pytest.fail("in use")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_trainer_is_a_writer(tmp_path: Path) -> None:
    config = RunConfig("deep-sarsa", EnvConfig(), DeepSarsaConfig(), TRAINING)
    env = make_vector(config.env, 2)
    trainer = Trainer(build_agent(config, 0), env, TRAINING, None, tmp_path)
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(BlockingIOError, match="got one at work"):
            trainer.run()
        assert [path.name for path in tmp_path.iterdir()] == [LOCK]
        holder.kill()
    trainer.run()
    assert len(list(tmp_path.glob("checkpoint-*.json"))) == 2
