"""Commands in a fresh process, in a folder where `pieces.py` is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

QUIET = {"SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy", "COLUMNS": "300"}
SHORT = "--total-steps 400 --num-envs 4 --evaluate-every 0 --episodes 20 --gif-episodes 0".split()


def as_an_older(run: Path) -> None:
    """Make a run note no modules, as those of earlier versions."""
    path = run / "config.json"
    settings = json.loads(path.read_text())
    settings.pop("modules", None)
    path.write_text(json.dumps(settings))


def sidestep(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command, beside a copy of the pieces."""
    shutil.copy(Path(__file__).with_name("pieces.py"), folder)
    return subprocess.run(
        [sys.executable, "-m", "sidestep.scripts.cli", *words],
        cwd=folder,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def succeeds(folder: Path, *words: str) -> str:
    """What a command writes that must end well."""
    done = sidestep(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(folder: Path, *words: str) -> str:
    """The one line of a command that must be refused."""
    done = sidestep(folder, *words)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    (line,) = done.stderr.strip().splitlines()
    return line
