"""`sidestep lm hello`: a small network learns to spell a word; every number of it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from unicodedata import normalize

import torch
from rich.table import Table
from rich.text import Text

from sidestep.scripts.sequences.hello import Lesson, Snapshot, ambiguous, check_word, learn
from sidestep.scripts.shared.console import console, say, table
from sidestep.scripts.shared.fonts import missing_words, sign_of
from sidestep.scripts.viewer.recording import Shot, check_target, save_png
from sidestep.sequence.limits import LAST_SEED, at_least, check_fields, one_of
from sidestep.sequence.models.language import CELLS

MOST_UPDATES, MOST_UNITS, MOST_SHOTS = 100_000, 64, 400
FASTEST = 10
"""Learning rate: at larger ones the numbers fit no table."""
MOST_ROWS = 8
"""Units of a table; of more the first ones stand in it."""
STEPS_BESIDE = 7
"""Steps of a table; a longer word has several."""
VERDICTS = {True: ("right", "bold green"), False: ("wrong", "bold red")}


@dataclass(frozen=True)
class HelloOptions:
    """Teach a small network to spell a word, and see all its numbers while it learns."""

    choices: ClassVar[dict[str, Sequence[str]]] = {"cell": CELLS}
    """What the command line offers for a field."""
    word: str = "hello"
    """2 to 12 letters of any script, two of them different."""
    cell: str = "rnn"
    """rnn, lstm, gru, or one that was registered."""
    size: int = 3
    """Units of the hidden layer."""
    updates: int = 100
    """Steps of Adam on the loss of the whole word."""
    learning_rate: float = 0.03
    """Adam's."""
    seed: int = 0
    """Of the first weights."""
    at: tuple[int, ...] | None = None
    """Updates after which a table is shown; the first, a fifth of all, and the last if left out."""
    out: Path | None = None
    """Where a film over the training goes: a .gif, .mp4 or .html (a page with a player), and a .png
    of its end beside it; or that .png alone."""
    frames: int = 40
    """Pictures of the film: close to each other at the beginning, where most happens."""
    fps: float = 4.0
    """Pictures a second."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_word(normalize("NFC", self.word))
        limits = {
            "cell": one_of(*CELLS),
            "size": at_least(1, MOST_UNITS),
            "updates": at_least(1, MOST_UPDATES),
            "seed": at_least(0, LAST_SEED),
            "frames": at_least(2, MOST_SHOTS),
        }
        check_fields(self, limits)
        if not 0 < self.learning_rate <= FASTEST:
            raise ValueError(
                f"learning_rate: expected more than 0, at most {FASTEST}, got {self.learning_rate}"
            )
        if not 0.1 <= self.fps <= 50:
            raise ValueError(f"fps: expected 0.1 to 50, got {self.fps}")
        for update in self.at or ():
            if not 0 <= update <= self.updates:
                raise ValueError(f"at: expected updates from 0 to {self.updates}, got {update}")
        if self.out is not None:
            check_target(self.out)

    @property
    def tables(self) -> list[int]:
        """Updates after which a table is shown."""
        chosen = (0, self.updates // 5, self.updates) if self.at is None else self.at
        return sorted(set(chosen))

    @property
    def shots(self) -> list[int]:
        """Updates after which a picture of the film is taken: the squares of even steps."""
        last = self.frames - 1
        return sorted({round(self.updates * (k / last) ** 2) for k in range(self.frames)})


def hello(options: HelloOptions) -> Lesson:
    """Learn, print the tables, write the film; returns what was learnt."""
    torch.set_num_threads(1)
    word = normalize("NFC", options.word)
    wanted = {*options.tables, options.updates, *(options.shots if options.out else ())}
    lesson = learn(
        word,
        options.cell,
        options.size,
        options.updates,
        options.learning_rate,
        options.seed,
        wanted,
    )
    for letter, found in ambiguous(word).items():
        several = " and by ".join(map(sign_of, found))
        say(f"{sign_of(letter)} is followed by {several}: only a state can tell which.")
    for snapshot in lesson.snapshots:
        if snapshot.update in options.tables:
            say(_title(lesson, snapshot))
            for first in range(0, len(word) - 1, STEPS_BESIDE):
                console.print(numbers(lesson, snapshot, first))
    when = "never all right"
    if lesson.solved is not None:
        when = f"all right after {lesson.solved:,} updates"
    before, after = lesson.losses[0], lesson.losses[-1]
    say(f"{when}; loss {before:.3f} nats at first, {after:.3f} at the end")
    if options.out is not None:
        _write(lesson, options, options.out)
    return lesson


def numbers(lesson: Lesson, snapshot: Snapshot, first: int = 0) -> Table:
    """The numbers of a snapshot, a column a step, from the step `first` on."""
    symbols = lesson.vocabulary.encode(lesson.word)
    steps = range(first, min(first + STEPS_BESIDE, len(snapshot.right)))
    letters = [sign_of(letter) for letter in lesson.vocabulary.symbols]
    read, after, said = (
        [letters[number] for number in some.tolist()]
        for some in (symbols[:-1], symbols[1:], snapshot.foreseen)
    )
    result = table("", ("reads", *(read[t] for t in steps)), [])
    blocks = [
        ("one-hot", letters, torch.eye(len(letters))[symbols], ".0f"),
        *((name, [], values, "+.2f") for name, values in snapshot.states.items()),
        ("logits", letters, snapshot.logits, "+.2f"),
        ("softmax", letters, snapshot.softmax, ".3f"),
    ]
    for name, keys, values, form in blocks:
        names = [name, *[""] * (len(keys) - 1)]
        head = "\n".join(f"{n:8}{k}" for n, k in zip(names, keys or [""], strict=True))
        shown = values if keys else values[:, :MOST_ROWS]
        if shown.shape[1] < values.shape[1]:
            head += f"\n(of {values.shape[1]})"
        cells = ("\n".join(f"{v:{form}}" for v in shown[t].tolist()) for t in steps)
        result.add_row(head, *cells, end_section=True)
    result.add_row("foresees", *(said[t] for t in steps))
    result.add_row("next", *(after[t] for t in steps))
    verdicts = (VERDICTS[bool(snapshot.right[t])] for t in steps)
    result.add_row("", *(Text(words, style=style) for words, style in verdicts))
    return result


def _title(lesson: Lesson, snapshot: Snapshot) -> str:
    said = "".join(map(sign_of, lesson.vocabulary.decode(snapshot.foreseen)))
    hits = int(snapshot.right.sum())
    return (
        f"After {snapshot.update:,} updates: loss {snapshot.loss:.3f} nats, foresees {said}, "
        f"{hits} of {len(said)} right"
    )


def _write(lesson: Lesson, options: HelloOptions, out: Path) -> None:
    """The film with its last picture beside it, or that picture alone."""
    from sidestep.scripts.sequences.hello_picture import picture  # here: it loads a world
    from sidestep.scripts.viewer.letters import lacking
    from sidestep.scripts.viewer.page import write_shots

    by_update = {snapshot.update: snapshot for snapshot in lesson.snapshots}
    written = out
    if out.suffix != ".png":
        chosen = [by_update[update] for update in options.shots]
        ends = (0, options.updates)
        shots = (Shot(picture(lesson, s), hold=s.update in ends) for s in chosen)
        words = f"{lesson.word}, a letter at a time"
        made = f"sidestep lm hello --word {lesson.word} --out {out.name}"
        count = write_shots(out, shots, options.fps, words, made)
        say(f"{out}: {count} pictures, {out.stat().st_size / 1e6:.2f} MB")
        written = out.with_suffix(".png")
    save_png(written, picture(lesson, by_update[options.updates]))
    say(f"{written}: after {options.updates:,} updates")
    remark = missing_words(lacking(lesson.word))
    if remark:
        say(remark)
