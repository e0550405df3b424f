"""The commands of docs/scaling.md, one after the other, at small size."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sidestep.scripts import cli

PAGE = Path(__file__).resolve().parents[3] / "docs" / "scaling.md"
BLOCK = re.compile(r"^```(bash|toml) *([^\n]*)\n(.*?)^```", re.M | re.S)
NARROW = ["--num-envs", "4", "--hidden-sizes", "7", "--total-steps", "200", "--rollout-steps", "8"]
BRIEF = ["--evaluate-every", "100", "--evaluation-episodes", "4", "--episodes", "5"]
BRIEF += ["--gif-episodes", "0"]
SEARCH = ["--trials", "3", "--seeds", "2", "--rungs", "2", "--fresh-seeds", "1", "--jobs", "1"]
SMALL = {
    "train": [*NARROW, *BRIEF],
    "resume": ["--episodes", "5", "--gif-episodes", "0"],
    "evaluate": ["--episodes", "5"],
    "table": [],
    "sweep": [*SEARCH, "--num-envs", "4", "--total-steps", "200", *BRIEF],
}
FEW_SEEDS = ["--seeds", "2", "--jobs", "2"]
"""What makes a command small: flags that are added to its own, by its first word."""


def commands(text: str) -> list[list[str]]:
    """The words of each line of a block that is a command."""
    return [words for line in text.splitlines() if (words := shlex.split(line, comments=True))]


def small(words: list[str]) -> list[str]:
    """A command of the page at small size, without `sidestep`."""
    assert words[0] == "sidestep", words
    few = FEW_SEEDS if words[1] == "train" and "--seeds" in words else []
    return [*words[1:], *SMALL[words[1]], *few]


@pytest.mark.slow
def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = 0
    for kind, name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if name == "torchrun":
            continue
        if kind == "toml":
            Path(name).write_text(text, encoding="utf-8")
            continue
        for words in commands(text):
            if words[1] == "sweep":
                pytest.importorskip("optuna")
            cli.main(small(words))
            done += 1
    assert done >= 4


@pytest.mark.slow
def test_every_command_of_several_processes_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    text = PAGE.read_text(encoding="utf-8")
    (block,) = (text for _, name, text in BLOCK.findall(text) if name == "torchrun")
    for words in commands(block):
        words = [word.removesuffix("000") if word.endswith("000000") else word for word in words]
        if words[0] == "torchrun":
            launcher = [sys.executable, "-m", "torch.distributed.run"]
            some = SMALL["resume" if "resume" in words else "train"]
            done = subprocess.run(
                [*launcher, *words[1:], *some], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr[-2000:]
        else:
            some = SMALL["resume" if "resume" in words else words[1]]
            cli.main([*words[1:], *some])
    assert json.loads(Path("runs/big/config.json").read_text())["training"]["shards"] == 2
