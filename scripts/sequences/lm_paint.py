"""`sidestep lm paint`: one hidden unit of a trained character model over a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from sidestep.scripts.sequences.lm_task import (
    held_out_text,
    in_known_form,
    load_language_model,
    read_text,
)
from sidestep.scripts.sequences.painted import as_figure, as_html, in_terminal, lacking, scaled
from sidestep.scripts.shared.console import check_folder, console, say, table
from sidestep.scripts.shared.curves import check_picture, save_figure
from sidestep.scripts.shared.examples import pictures_of
from sidestep.scripts.shared.fonts import missing_words
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.limits import COUNT, NATURAL, check_fields
from sidestep.sequence.models.language import LanguageModel, Vocabulary
from sidestep.sequence.models.units import PROPERTIES, Follower, rank_units, unit_activations

Property = Literal[
    "inside-quotes",
    "inside-parentheses",
    "line-position",
    "word-position",
    "indentation",
    "capitals",
]


@dataclass(frozen=True)
class PaintOptions:
    """Paint one hidden unit over a text, red where it is positive and blue where negative."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    file: Annotated[Path | None, tyro.conf.Positional] = None
    """UTF-8 text; the run's held-out text, or all of it where nothing was, if left out."""
    unit: int | None = None
    """Which unit, from 0, the first layer's first; with --find the best one if left out."""
    find: Property | None = None
    """Rank the units by how well they follow this property of the text."""
    state: Literal["h", "c"] | None = None
    """h, the hidden state, or c, tanh of an LSTM's cell; c where there is one if left out."""
    begin: int = 0
    """The text's first painted character."""
    length: int = 1600
    """Characters that are painted."""
    search_length: int = 20_000
    """Characters that --find looks at, from the text's beginning."""
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""
    out: Path | None = None
    """Where the picture goes, a .png, .svg or .pdf, and the page beside it, a .html;
    painted-UNIT.png in the run's folder if left out."""

    def __post_init__(self) -> None:
        """Check every field."""
        if self.unit is None and self.find is None:
            raise ValueError("expected --unit or --find, got neither")
        limits = {"length": COUNT, "search_length": COUNT, "begin": NATURAL}
        check_fields(self, limits)
        check_picture(self.out, "out")


def paint(options: PaintOptions) -> int:
    """Rank where asked, then paint; returns the painted unit."""
    torch.set_num_threads(1)
    check_folder(options.out, "out")
    model, vocabulary = load_language_model(options.run, options.checkpoint)
    part = options.state or model.recurrent.part_names[-1]
    text = _text(options, vocabulary)
    if options.begin >= len(text):
        raise ValueError(f"begin: expected less than the text's {len(text)}, got {options.begin}")
    needed = options.begin + options.length
    if options.find is not None:
        needed = max(needed, options.search_length)
    activations = _activations(model, vocabulary, text[:needed], part, options)
    units = activations.shape[1]
    unit, words = options.unit, ""
    if options.find is not None:
        followers = _found(activations[: options.search_length], text, options)
        unit = followers[0].unit if unit is None else unit
        found = {follower.unit: follower for follower in followers}.get(unit)
        words = f", {options.find}: correlation {found.correlation:+.2f}" if found else ""
    if unit is None or not 0 <= unit < units:
        raise ValueError(f"unit: expected one of 0..{units - 1}, got {unit}")
    end = min(needed, options.begin + options.length)
    shown = text[options.begin : end]
    values = scaled(activations[options.begin : end, unit].tolist())
    name = f"{model.config.cell.upper()} unit {unit} ({part}){words}"
    _write(options, unit, shown, values, name)
    return unit


def _text(options: PaintOptions, vocabulary: Vocabulary) -> str:
    """The file's text, or what the run held out."""
    if options.file is not None:
        return in_known_form(read_text(options.file), vocabulary)
    return held_out_text(options.run, vocabulary)


def _activations(
    model: LanguageModel, vocabulary: Vocabulary, text: str, part: str, options: PaintOptions
) -> torch.Tensor:
    try:
        symbols = vocabulary.encode(text)
    except ValueError as error:
        raise ValueError(f"{options.file or 'text'}, {error}") from None
    with console.status(f"Reading {len(text):,} characters"):
        return unit_activations(model, symbols, part)


def _found(activations: torch.Tensor, text: str, options: PaintOptions) -> list[Follower]:
    """The ranking, with a table of its head."""
    assert options.find is not None
    seen = text[: len(activations)]
    try:
        followers = rank_units(activations, PROPERTIES[options.find](seen))
    except ValueError as error:
        raise ValueError(f"{options.find}: {error}") from None
    rows = [
        (str(f.unit), f"{f.correlation:+.3f}", f"{f.low:+.2f}", f"{f.high:+.2f}")
        for f in followers[:8]
    ]
    title = f"Units that follow {options.find} over {len(seen):,} characters"
    console.print(table(title, ("unit", "correlation", "mean, low", "mean, high"), rows))
    return followers


def _write(options: PaintOptions, unit: int, text: str, values: list[float], name: str) -> None:
    """Terminal, page and picture."""
    console.print(in_terminal(text, values))
    picture = options.out or pictures_of(options.run) / f"painted-{unit}.png"
    page = picture.with_suffix(".html")
    write_atomically(page, as_html(text, values, name).encode())
    save_figure(as_figure(text, values, name), picture)
    remark = missing_words(lacking(text))
    if remark:
        say(remark)
    console.print(f"{name}: {picture} and {page}", soft_wrap=True, markup=False)
