"""The commands of docs/scaling.md, one after the other, at small size."""

import re
import shlex
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


def test_every_command_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = 0
    for kind, name, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "toml":
            Path(name).write_text(text, encoding="utf-8")
            continue
        for words in commands(text):
            if words[1] == "sweep":
                pytest.importorskip("optuna")
            cli.main(small(words))
            done += 1
    assert done >= 4
