"""A run that is killed again and again ends as the undisturbed one did, bit for bit."""

import subprocess
import sys
from pathlib import Path

import pytest

from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.log import read_log

pytestmark = pytest.mark.slow

KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from sidestep.sequence.fitting.checkpoint import latest_checkpoint
from sidestep.scripts import train

folder, options = Path(sys.argv[1]), sys.argv[2:]
brief = ["--gif-episodes", "0", "--episodes", "5"]
resume = ["resume", str(folder), *brief]

def life(seconds):
    # forked, so that a life does not begin with seconds of imports
    child = os.fork()
    if child == 0:
        out = os.open(os.devnull, os.O_WRONLY)
        os.dup2(out, 1)
        try:
            started = folder.exists() and any(folder.glob("checkpoint-*.json"))
            train.main(resume if started else [*options, "--out", str(folder), *brief])
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        os._exit(0)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

chance, kills = random.Random(0), 0
for _ in range(50):
    code = life(chance.uniform(0.02, 0.5))
    assert code in (0, -signal.SIGKILL, 2), code
    kills += code == -signal.SIGKILL
    if code == 0:
        break
    if folder.exists() and not any(folder.glob("checkpoint-*.json")):
        for path in folder.iterdir():  # killed before the first checkpoint: begin again
            path.unlink()
        folder.rmdir()
print(kills)
assert life(None) == 0
"""


@pytest.mark.parametrize("learner", ["deep-sarsa", "reinforce"])
def test_fifty_kills_change_nothing(learner: str, tmp_path: Path) -> None:
    options = [learner, "--memory", "gru", "--memory-size", "5", "--hidden-sizes", "7"]
    options += ["--num-envs", "16", "--rollout-steps", "8", "--total-steps", "200_000"]
    options += ["--checkpoint-every", "400", "--evaluate-every", "5000", "--log-every", "1000"]
    options += ["--evaluation-episodes", "20"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    command = [sys.executable, "-c", KILLER, str(killed), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[0]) >= 40
    words = ["--out", str(whole), "--gif-episodes", "0", "--episodes", "5"]
    command = [sys.executable, "-m", "sidestep.scripts.cli", "train", *options, *words]
    subprocess.run(command, check=True, capture_output=True, timeout=900)
    paths = [latest_checkpoint(folder) for folder in (killed, whole)]
    assert paths[0].name == paths[1].name
    mine, theirs = (load_checkpoint(path)[0] for path in paths)
    assert mine.keys() == theirs.keys()
    assert [k for k in mine if mine[k].numpy().tobytes() != theirs[k].numpy().tobytes()] == []
    clocks = {"seconds", "steps_per_second"}
    logs = [
        [{k: v for k, v in line.items() if k not in clocks} for line in read_log(folder)]
        for folder in (killed, whole)
    ]
    assert logs[0] == logs[1]
    hidden = {p.name for p in killed.iterdir() if p.name.startswith(".")}
    assert hidden <= {".lock"}  # nothing half-written; the lock itself is the system's
