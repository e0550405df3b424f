"""`sidestep lm evaluate`: how well a character model imitates the kind of text it has learnt."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro

from sidestep.scripts.sequences.corpora.counting import Count, total
from sidestep.scripts.sequences.corpora.kinds import Kind, kind_named, kind_of
from sidestep.scripts.sequences.lm_task import (
    configs_of,
    load_language_model,
    split_text,
    start_of,
    text_of,
)
from sidestep.scripts.shared.console import console, table
from sidestep.sequence.fitting.fitted import read_run
from sidestep.sequence.limits import LAST_SEED, MANY, NATURAL, at_least, check_fields
from sidestep.sequence.models.language import LanguageModel, Vocabulary, generate
from sidestep.sequence.models.markov import WindowModel
from sidestep.sequence.models.sampling import check_sampling

LONGEST = 1_000_000
"""Characters of a sample."""


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure what a model writes, beside its own text and beside a Markov model."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    kind: str | None = None
    """dialogue, latex or c; by the look of the text if left out."""
    samples: int = 8
    """Texts that are measured of each."""
    length: int = 1000
    """Characters of each."""
    temperature: float = 1.0
    """Of the model's draws."""
    order: int = 3
    """Characters that the Markov model sees."""
    seed: int = 0
    """Of the draws."""
    file: Path | None = None
    """Where the run's text is now, if it was moved."""
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_sampling(self.temperature, 0)
        limits = {
            "samples": at_least(1, MANY),
            "length": at_least(1, LONGEST),
            "order": NATURAL,
            "seed": at_least(0, LAST_SEED),
        }
        check_fields(self, limits)
        if self.kind is not None:
            kind_named(self.kind)


def evaluate(options: EvaluateOptions) -> dict[str, dict[str, Count]]:
    """Draw, measure, print the table; returns the counts by column and measure."""
    torch.set_num_threads(1)
    model, vocabulary = load_language_model(options.run, options.checkpoint)
    record = read_run(options.run, "lm")
    text = text_of(options.run, record, options.file)
    training, held_out = _split(text, vocabulary, options.run, record)
    kind = kind_of(text) if options.kind is None else kind_named(options.kind)
    config = model.config
    own = "held-out text" if len(held_out) < len(text) else "the text itself"
    with console.status("Writing"):
        columns = {
            own: pieces(held_out, options.samples, options.length),
            f"{config.cell.upper()} {config.num_layers} x {config.hidden_size}": _written(
                model, vocabulary, options
            ),
            f"Markov, {options.order} characters": _counted(training, vocabulary, options),
        }
    known = kind.known(training)
    found = {name: measured(texts, kind, known) for name, texts in columns.items()}
    rows = [
        (measure, *(counts[measure].words() for counts in found.values()))
        for measure in kind.measures
    ]
    title = (
        f"{kind.name}: {options.samples} texts of {options.length:,} characters, "
        f"temperature {options.temperature:g}"
    )
    console.print(table(title, ("right of all", *found), rows))
    return found


def measured(texts: Sequence[str], kind: Kind, known: frozenset[str]) -> dict[str, Count]:
    """Every measure of a kind over all texts."""
    return {
        name: total(measure(text, known) for text in texts)
        for name, measure in kind.measures.items()
    }


def pieces(text: str, number: int, length: int) -> list[str]:
    """So many pieces of a text, evenly spread and apart; fewer where it is too short.

    Each begins after an empty line, or at least with a line, where there is one.
    """
    number = max(1, min(number, len(text) // length))
    room, found = len(text) // number, []
    for k in range(number):
        begin, end = k * room, (k + 1) * room
        for border in ("\n\n", "\n") if k else ():
            place = text.find(border, begin - len(border), max(begin, end - length))
            if place >= 0:
                begin = place + len(border)
                break
        found.append(text[begin : min(begin + length, end)])
    return found


def _split(
    text: str, vocabulary: Vocabulary, folder: Path, record: dict[str, object]
) -> tuple[str, str]:
    """What was learnt from, and what was held out; twice the text where nothing was."""
    _, _, stream = configs_of(folder, record)
    _, held_out = split_text(vocabulary.encode(text), stream)
    if not len(held_out):
        return text, text
    return text[: len(text) - len(held_out)], text[len(text) - len(held_out) :]


def _written(model: LanguageModel, vocabulary: Vocabulary, options: EvaluateOptions) -> list[str]:
    """What the model writes at the beginning of a paragraph."""
    drawn = generate(
        model,
        vocabulary.encode(2 * start_of(None, vocabulary)),
        options.length,
        rows=options.samples,
        temperature=options.temperature,
        generator=torch.Generator().manual_seed(options.seed),
    )
    return [vocabulary.decode(row) for row in drawn.t()]


def _counted(training: str, vocabulary: Vocabulary, options: EvaluateOptions) -> list[str]:
    """What counts of the training text write, from the same beginning."""
    try:
        counts = WindowModel([vocabulary.encode(training).numpy()], len(vocabulary), options.order)
    except ValueError as error:
        raise ValueError(f"order: {error}") from None
    random = np.random.default_rng(options.seed)
    before = vocabulary.encode(2 * start_of(None, vocabulary)).numpy()
    drawn = (counts.sample(options.length, random, before) for _ in range(options.samples))
    return [vocabulary.decode(torch.from_numpy(symbols)) for symbols in drawn]
