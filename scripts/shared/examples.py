"""Trained runs that come with the package: `--example NAME` in place of any command's RUN."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidestep.scripts.shared.words import did_you_mean, tell

FOLDER = Path(__file__).resolve().parents[1] / "data" / "examples"
"""Where they are; nothing is written there."""
FLAG = "--example"


@dataclass(frozen=True)
class Example:
    """A trained run of the package."""

    name: str
    shows: str
    """What there is to be seen."""
    trained: str
    """The command that made it, after `sidestep` and without --out."""
    see: str
    """The command to see it with, after `sidestep`."""
    value: float
    """What was measured of it, by the training's end."""
    measured: str
    """That in words, a format of `value`."""
    small: bool = True
    """Whether its world, if any, is played and solved at once by rules that are not compiled."""

    @property
    def folder(self) -> Path:
        """Of the run."""
        return FOLDER / self.name

    @property
    def figure(self) -> str:
        """What was measured of it, in words."""
        return self.measured.format(self.value)


GOAL = "{:.1%} of 10,000 fresh episodes reach the goal"
EXAMPLES = {
    row.name: row
    for row in (
        Example(
            "glimpse-gru",
            "REINFORCE with a GRU crosses among obstacles that it sees on every eighth tick only",
            "train reinforce --env sidestep/Glimpse-v0 --memory gru --total-steps 3000000",
            "watch --example glimpse-gru",
            0.984,
            GOAL,
        ),
        Example(
            "obstacles",
            "Deep SARSA, without a memory, crosses among obstacles that it always sees",
            "train deep-sarsa",
            "watch --example obstacles",
            0.9966,
            GOAL,
        ),
        Example(
            "crossing-gru",
            "Deep SARSA with a GRU crosses random levels with sixteen patrols, and sees 7x7 cells",
            "train deep-sarsa --env sidestep/Crossing-v0 --memory gru",
            "watch --example crossing-gru",
            0.964,
            GOAL,
            small=False,
        ),
        Example(
            "tmaze",
            "REINFORCE with a GRU remembers a sign along a corridor; with gates shut it forgets",
            "train reinforce --env sidestep/TMaze-v0 --memory gru"
            " --memory-span 128 --total-steps 1000000",
            "gates --example tmaze --set z=0 r=0",
            1.0,
            "{:.1%} of 100 fresh episodes reach the goal",
        ),
        Example(
            "topics",
            "An LSTM writes in the manner of Python's own pages, letter by letter",
            "lm train --hidden-size 128 --embedding-size 32",
            'lm sample --example topics --prompt "The value"',
            1.454,
            "{:.3f} nats per character of held-out text",
        ),
        Example(
            "korean",
            "A GRU with attention turns Korean sentences into English, word by word",
            "translate train --hidden-size 96 --embedding-size 32",
            'translate run --example korean "수지가 어제 도서관에서 책을 읽었다."',
            1.0,
            "{:.1%} of 500 sentences never seen come out exactly",
        ),
    )
}
"""By name, in the order in which they are told."""


def example(name: str) -> Path:
    """Find the folder of a trained run that comes with the package.

    Args:
        name: a key of `EXAMPLES`.

    Returns:
        The folder, for `load_agent` and whatever else reads a run; it is not to be written to.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in EXAMPLES:
        known = ", ".join(EXAMPLES)
        raise ValueError(
            f"example: expected one of {known}, got {name!r}{did_you_mean(name, EXAMPLES)}"
        )
    return EXAMPLES[name].folder


def is_example(folder: Path) -> bool:
    """Whether a folder is in what comes with the package."""
    return folder.resolve().is_relative_to(FOLDER)


def pictures_of(run: Path) -> Path:
    """The folder for pictures of a run where no flag names one: its own, of an example this one."""
    return Path() if is_example(run) else run


def takes_examples(config: type[Any]) -> bool:
    """Whether a command's flags name runs."""
    return not {"run", "runs"}.isdisjoint(config.__dataclass_fields__)


def examples_note(config: type[Any]) -> str:
    """What the help of a command says of examples; nothing where it takes no run."""
    if not takes_examples(config):
        return ""
    names = ", ".join(EXAMPLES)
    return f"\n\nIn place of RUN: {FLAG} NAME, a trained run of the package, of {names}."


def with_examples(args: Sequence[str], config: type[Any]) -> list[str]:
    """The words of a command, those after `--example` made folders in the place of RUN.

    Args:
        args: the words after the command.
        config: the dataclass of its flags.

    Raises:
        ValueError: no example of that name.
        SystemExit: the flag without a name, after all examples were listed.
    """
    if not takes_examples(config):
        return list(args)
    folders, others = list[str](), list[str]()
    words = iter(args)
    for word in words:
        flag, equals, value = word.partition("=")
        if flag != FLAG:
            others.append(word)
            continue
        name = value if equals else next(words, "")
        if not name or name.startswith("-"):
            tell(listed_examples())
            raise SystemExit(0)
        folders.append(str(example(name)))
    return folders + others  # first: a flag before them may take any number of words


def listed_examples() -> str:
    """A page of all examples: what each shows, how it is seen, what it reached, and by which words.

    They stand one below the other, so that each command can be copied.
    """
    return f"Trained runs that come with the package, in place of RUN:\n\n{''.join(_paragraphs())}"


def _paragraphs() -> Iterator[str]:
    for row in EXAMPLES.values():
        yield (
            f"  {row.name}\n    {row.shows}.\n    {row.figure}.\n"
            f"    see it:        sidestep {row.see}\n"
            f"    trained by:    sidestep {row.trained}\n\n"
        )
