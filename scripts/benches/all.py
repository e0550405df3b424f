"""`sidestep bench all`: every section of the results page, at one commit and on a quiet machine.

Sections are made one after the other, each in a process of its own. One whose record was made at
this commit with these options is done already, so the same command goes on where it was stopped.
With `--out docs` the numbers that other pages quote are then brought up to date.
"""

import importlib
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import torch

from sidestep.scripts.benches import machine, quiet, quotes
from sidestep.scripts.benches.records import known_result, options_of
from sidestep.scripts.benches.skeleton import Flags
from sidestep.scripts.shared.console import command, console, parse, say, some_of, table
from sidestep.sequence.limits import NATURAL

EXAMPLES = """\
  sidestep bench all --out docs --text tinyshakespeare.txt --pairs kor-eng.txt
  sidestep bench all --out docs --plan
  sidestep bench all --only peers learning throughput --out docs
  sidestep bench all --quick --busy --out trial"""
TEXT, PAIRS, GPU = "--text", "--pairs", "a GPU"
"""What is no package."""
ROOT = Path(__file__).resolve().parents[2]
LOOK, PAUSE = 5.0, 10.0
"""Seconds of a look at the machine between sections, and between looks while it is busy."""


class Section(NamedTuple):
    """A section of the page, and the bench that makes it."""

    words: str
    """The bench's name and its options."""
    minutes: int
    """That it takes, roughly, on two quiet cores."""
    quick: str
    """Options in the place of those, for a look."""
    needs: tuple[str, ...] = ()
    """Packages, files of this command's flags, or a GPU."""


PEERS = ("stable_baselines3", "sb3_contrib")
SECTIONS = {
    "world": Section("world", 4, "--quick"),
    "solver": Section("solver", 3, "--rounds 1 --largest 8"),
    "view": Section("view", 12, "--frames 10 --rounds 1 --steps 4000"),
    "scaling": Section("scaling", 12, "--steps 20000 --updates 2 --rounds 1"),
    "sequence": Section("sequence --threads 1", 2, "--threads 1 --quick"),
    "language-speed": Section("language --parts speed", 6, "--parts speed --quick"),
    "peers": Section("peers", 45, "--trials 2 --seconds 2 --finalists 1", PEERS),
    "throughput": Section("throughput", 20, "--rounds 1 --steps 4096 --memories none --no-peers",
                          PEERS),
    "learning": Section("learning --seeds 5", 45, "--seeds 1 --memories none --total-steps 30000 "
                        "--peer-seconds 2", PEERS),
    "memory": Section("memory --seeds 3 --crossing-seeds 1 --processes 2", 100,
                      "--seeds 1 --crossing-seeds 1 --worlds glimpse --memories none "
                      "--total-steps 3000 --no-search", PEERS),
    "ablations": Section("ablations", 20, "--seeds 1 --total-steps 3000 --learners deep-sarsa"),
    "tasks": Section("tasks --jobs 2", 180, "--seeds 1 --total-steps 1000 --no-speeds "
                     "--tasks CartPole-v1 Cue-v0,\\ 10", ("popgym", "minigrid", "Box2D")),
    "translation": Section("language --parts translation", 45, "--parts translation --quick",
                           (PAIRS,)),
    "language": Section("language --parts characters --larger", 150,
                        "--parts characters --quick", (TEXT,)),
    "sequence-gpu": Section("sequence --device cuda", 5, "--device cuda --quick", (GPU,)),
    "devices": Section("devices", 10, "--seconds 0.1 --lanes 256", (GPU,)),
    "house": Section("house", 2, ""),
}  # fmt: skip
"""In the order in which they are made, by the names of their records: what times comes first, and
what another takes from comes after that. `house` is of architecture.md."""


@dataclass(frozen=True)
class Options(Flags):
    """Make every section of the results page at one commit, on a quiet machine."""

    only: Annotated[tuple[str, ...], some_of(SECTIONS)] = ()
    """Sections; all if left out."""
    skip: Annotated[tuple[str, ...], some_of(SECTIONS)] = ()
    """Sections that are not made."""
    text: Path | None = None
    """What the character models learn; without it their section is left out."""
    pairs: Path | None = None
    """Pairs of sentences for translation; without them its section is left out."""
    patience: int = 20
    """Minutes to wait for a quiet machine before a section."""
    plan: bool = False
    """Say what would be made, and make nothing."""
    quick: bool = False
    """A look at every section in minutes, no result; changes may be uncommitted."""
    limits: ClassVar = {"patience": NATURAL}

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        for name in (*self.only, *self.skip):
            if name not in SECTIONS:
                raise ValueError(f"expected some of {', '.join(SECTIONS)}, got {name!r}")
        for path in (self.text, self.pairs):
            if path is not None and not path.is_file():
                raise ValueError(f"{path}: expected a file, got none")


class Step(NamedTuple):
    """What is to become of a section."""

    name: str
    section: Section
    words: list[str]
    """Of its command, after `sidestep bench`."""
    state: str
    """Empty: it is to be made."""


def run(options: Options) -> None:
    """Say what is to be made, and make it; exit code 2 where that was not possible.

    Raises:
        ValueError: there are uncommitted changes, or the machine is busy.
    """
    commit = machine.commit()
    if not options.quick and not options.plan and (commit == "unknown" or "+" in commit):
        got = "uncommitted changes" if "+" in commit else "no commit of this code"
        raise ValueError(f"expected all sections to be of one commit, got {got}")
    steps = plan(options, commit)
    to_make = [step for step in steps if not step.state]
    _tell(steps, commit)
    if options.plan:
        return
    if to_make and not options.busy and (words := quiet.busy()):
        raise ValueError(f"{words}; end that, or pass --busy, which the page will tell")
    failed = _made(to_make, options, commit)
    if options.out.resolve() == ROOT / "docs" and not options.quick:
        for line in quotes.correct(ROOT, options.out):
            say(line)
    if failed:
        raise SystemExit(f"sidestep bench all: failed: {', '.join(failed)}")


def _made(to_make: Sequence[Step], options: Options, commit: str) -> list[str]:
    """Make sections, each when the machine is quiet; those that failed."""
    failed = []
    for number, step in enumerate(to_make, 1):
        if not options.busy and not wait(options.patience):
            raise SystemExit(_stopped("the machine stays busy", to_make[number - 1 :]))
        if machine.commit() != commit and not options.quick:
            raise SystemExit(_stopped("the code has changed", to_make[number - 1 :]))
        say(f"\n{step.name}, {number} of {len(to_make)}: sidestep bench {' '.join(step.words)}")
        _forget(options.out, step.name, commit)
        begin = time.perf_counter()
        if make(step.words):
            failed.append(step.name)
        say(f"{step.name}: {(time.perf_counter() - begin) / 60:.1f} minutes")
    return failed


def plan(options: Options, commit: str) -> list[Step]:
    """What is to become of every section that was asked for, in their order.

    Args:
        options: of the command.
        commit: at which sections that are there already may have been made.
    """
    steps = []
    for name, section in SECTIONS.items():
        if name in (options.only or SECTIONS) and name not in options.skip:
            missing = missing_for(section, options)
            words = _words(section, options)
            state = f"left out: needs {' and '.join(missing)}" if missing else ""
            if not state and _is_done(name, words, options, commit):
                state = "done"
            steps.append(Step(name, section, words, state))
    return steps


def missing_for(section: Section, options: Options) -> list[str]:
    """What a section needs and this machine or command line has not."""
    there = {TEXT: options.text, PAIRS: options.pairs, GPU: torch.cuda.is_available()}
    return [need for need in section.needs if not there.get(need, need not in there and _has(need))]


def _has(package: str) -> bool:
    return find_spec(package) is not None


def _words(section: Section, options: Options) -> list[str]:
    bench, _, usual = section.words.partition(" ")
    words = (section.quick if options.quick else usual).replace("\\ ", "\0").split()
    files = [
        word
        for flag, path in ((TEXT, options.text), (PAIRS, options.pairs))
        if path is not None and flag in section.needs
        for word in (flag, str(path))
    ]
    busy = ["--busy"] * options.busy
    words = [word.replace("\0", " ") for word in words]
    return [bench, *words, *files, *busy, "--out", str(options.out)]


def _is_done(name: str, words: Sequence[str], options: Options, commit: str) -> bool:
    """Whether its record is whole, of this commit and of these options."""
    record = known_result(options.out, name)
    place = record.get("environment", {})
    if not record.get("finished") or place.get("commit") != commit or "+" in commit:
        return False
    bench = importlib.import_module(f"sidestep.scripts.benches.{words[0]}")
    asked = options_of(parse(bench.Options, f"bench {words[0]}", list(words[1:]), ""))
    return record["options"] == asked and (options.busy or not place["busy"])


def _forget(out: Path, name: str, commit: str) -> None:
    """Remove a record of another commit, from which a bench would take finished runs."""
    if known_result(out, name).get("environment", {}).get("commit") != commit:
        (out / "results" / f"{name}.json").unlink(missing_ok=True)


def make(words: Sequence[str]) -> int:
    """Run a bench in a process of its own; its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "sidestep.scripts.cli", "bench", *words]
    ).returncode


def wait(minutes: float) -> bool:
    """Wait for a quiet machine, and say for what; False where it stays busy for so long."""
    end, told = time.monotonic() + 60 * minutes, False
    while words := quiet.busy(LOOK, load_too=False):
        if time.monotonic() >= end:
            return False
        if not told:
            say(f"Waiting: {words}")
            told = True
        time.sleep(PAUSE)
    return True


def _tell(steps: Sequence[Step], commit: str) -> None:
    """Show the table of sections, with how long they take."""
    rows = [
        [step.name, step.section.words, f"{step.section.minutes}",
         step.state or "to be made"]
        for step in steps
    ]  # fmt: skip
    console.print(
        table(f"Sections at commit {commit}", ("section", "sidestep bench", "minutes", ""), rows)
    )
    minutes = sum(step.section.minutes for step in steps if not step.state)
    count = sum(not step.state for step in steps)
    say(f"To be made: {count} of {len(steps)} sections, about {minutes / 60:.1f} hours.")


def _stopped(why: str, left: Sequence[Step]) -> str:
    return (
        f"sidestep bench all: {why}: not made: {', '.join(step.name for step in left)}; what is "
        "done is kept, and the same command goes on"
    )


main = command("bench all", Options, run, EXAMPLES)
