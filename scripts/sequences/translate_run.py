"""`sidestep translate run` and `evaluate`: use a trained translator, and measure it."""

import json
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.scripts.sequences.hangul import check_font, tell_font
from sidestep.scripts.sequences.translate_data import TASKS, Corpus, Languages
from sidestep.scripts.sequences.translate_figures import Look, attention_figure, attention_text
from sidestep.scripts.sequences.translate_lengths import (
    BY_LENGTH,
    Measured,
    lengths_figure,
    lengths_record,
    lengths_table,
    measure_lengths,
)
from sidestep.scripts.sequences.translate_search import (
    Scores,
    SearchConfig,
    look_of,
    scores_of,
    searcher,
)
from sidestep.scripts.sequences.translate_task import Run, corpus_again, decode, load_translator
from sidestep.scripts.shared.console import check_folder, console, table
from sidestep.scripts.shared.curves import check_picture, save_figure
from sidestep.scripts.shared.examples import pictures_of
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.limits import MANY, at_least, check_fields
from sidestep.sequence.models.beams import Hypothesis
from sidestep.sequence.tasks.pairs import Pair, bare
from sidestep.sequence.tasks.task import examples

DRAWN = 3
"""Texts of one picture."""


@dataclass(frozen=True)
class RunOptions:
    """Translate with a trained model, and show what it looked at."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    texts: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """What to translate, each a word of the command line in quotes; an example of the test split,
    chosen by the seed, if left out."""
    how: tyro.conf.OmitArgPrefixes[SearchConfig] = field(
        default_factory=lambda: SearchConfig(search="beam")
    )
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""
    figure: Path | None = None
    """Where the picture of the attention goes, a .png, .svg or .pdf; translation.png in RUN if
    left out."""

    def __post_init__(self) -> None:
        """Check the picture's name."""
        check_picture(self.figure, "figure")


@dataclass(frozen=True)
class EvaluateOptions:
    """Translate the test split and compare with the references."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """The run's folder; with --by-length several, to be compared."""
    how: tyro.conf.OmitArgPrefixes[SearchConfig] = field(
        default_factory=lambda: SearchConfig(search="beam")
    )
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""
    file: Path | None = None
    """Where the pairs are now, if they were moved."""
    out: Path | None = None
    """Also write the figures to this JSON file."""
    by_length: bool = False
    """Count right answers by the length of the source, as a table and a picture."""
    pairs: int = 1000
    """With --by-length: pairs of a generated task; of a file the whole test split is taken."""
    figure: Path | None = None
    """With --by-length: where the picture, a .png, .svg or .pdf, goes; by-length.png in RUN if
    left out."""

    def __post_init__(self) -> None:
        """Check the runs and the picture's name."""
        if not self.runs or (len(self.runs) > 1 and not self.by_length):
            wanted = "at least one run" if self.by_length else "one run without --by-length"
            raise ValueError(f"runs: expected {wanted}, got {len(self.runs) or 'none'}")
        check_fields(self, {"pairs": at_least(1, MANY)})
        if self.figure is not None and not self.by_length:
            raise ValueError(f"figure: expected --by-length with it, got {self.figure} alone")
        check_picture(self.figure, "figure")


def run(options: RunOptions) -> list[list[Hypothesis]]:
    """Translate; returns the hypotheses of every text."""
    torch.set_num_threads(1)
    check_folder(options.figure, "figure")
    check_font()
    model, record = load_translator(options.run, options.checkpoint)
    languages = record.languages
    sources = sources_of(options.texts, record, options.how.seed)
    search = searcher(model, options.how, record.data.max_target + 1)
    found: list[list[Hypothesis]] = decode(model, languages, sources, search)
    looks: list[Look] = []
    for source, row in zip(sources, found, strict=True):
        show(languages.join_source(source), row, languages)
        look = look_of(languages, Pair(source, ()), row[0])
        if look is not None:
            console.print(attention_text(look, console.width))
            looks.append(look)
    if looks:
        path = options.figure or pictures_of(options.run) / "translation.png"
        title = f"{options.run.name}: attention, {options.how.search}"
        save_figure(attention_figure(looks[:DRAWN], title), path)
        tell_font(token for look in looks[:DRAWN] for token in (*look.source, *look.target))
        console.print(f"Attention{_first(looks)}: {path}", soft_wrap=True, markup=False)
    else:
        console.print("This model has no attention to show.")
    return found


def _first(looks: list[Look]) -> str:
    return f" of the first {DRAWN}" if len(looks) > DRAWN else ""


def sources_of(texts: tuple[str, ...], record: Run, seed: int) -> list[tuple[str, ...]]:
    """The tokens of the texts; says which of them the model does not know.

    Raises:
        ValueError: an empty text, one beyond the model's limit, or none where none is generated.
    """
    languages, limit = record.languages, record.model.max_source
    if not texts:
        if languages.name not in TASKS:
            raise ValueError("texts: expected at least one text to translate, got none")
        return [examples(TASKS[languages.name](), "test", 1, seed)[0].source]
    sources = []
    for number, text in enumerate(texts, start=1):
        tokens = languages.split_source(unicodedata.normalize("NFC", text.strip()))
        if not tokens:
            raise ValueError(f"text {number}: expected something to translate, got {text!r}")
        if len(tokens) > limit:
            raise ValueError(
                f"text {number}: expected at most {limit} tokens, which is what the model was made "
                f"for, got {len(tokens)}"
            )
        unknown = languages.source.unknown(tokens)
        if unknown:
            words = ", ".join(repr(bare(token)) for token in unknown)
            console.print(
                f"Text {number} holds what the model has never seen, read as <unknown>: {words}",
                style="yellow",
                markup=False,
            )
        sources.append(tuple(tokens))
    return sources


def show(text: str, row: list[Hypothesis], languages: Languages) -> None:
    """A table of the hypotheses of one text."""
    rows = [
        [
            languages.join_target(languages.target.decode(one.tokens))
            + ("" if one.finished else " ..."),
            f"{one.log_probability:.3f}",
            f"{one.score:.3f}",
        ]
        for one in row
    ]
    shown = table("", ["translation", "log-probability", "score"], rows)
    console.print(text, style="bold", markup=False, highlight=False)
    console.print(shown)


def evaluate(options: EvaluateOptions) -> Scores | list[Measured]:
    """Measure a run on its test split, or several by the length of the source."""
    torch.set_num_threads(1)
    check_folder(options.out, "out")
    if options.by_length:
        return _evaluate_lengths(options)
    (folder,) = options.runs
    model, record = load_translator(folder, options.checkpoint)
    corpus = corpus_again(folder, record, options.file)
    if not corpus.test:
        raise ValueError(f"{folder}: expected a test split, got a run that held nothing out")
    scores, _ = scores_of(model, corpus, options.how, record.data.max_target)
    title = f"{folder}, {options.how.search}, {len(corpus.test):,} pairs of the test split"
    console.print(scores_table(title, scores, corpus))
    figures = {"run": str(folder), "search": vars(options.how), **scores.figures()}
    _write(options.out, figures)
    return scores


def _evaluate_lengths(options: EvaluateOptions) -> list[Measured]:
    """Measure every run by the length of the source: a table, a picture, perhaps a file."""
    check_folder(options.figure, "figure")
    how = options.how
    task, measured = measure_lengths(
        options.runs, options.checkpoint, how, options.pairs, options.file
    )
    console.print(lengths_table(task, measured))
    path = options.figure or pictures_of(options.runs[0]) / BY_LENGTH
    save_figure(lengths_figure(task, measured, how.search), path)
    console.say(f"Right answers over length: {path}")
    _write(options.out, lengths_record(task, measured, how))
    return measured


def _write(path: Path | None, record: dict[str, Any]) -> None:
    """Write figures to a JSON file, if one is asked for."""
    if path is not None:
        write_atomically(path, f"{json.dumps(record, indent=1)}\n".encode())


def scores_table(title: str, scores: Scores, corpus: Corpus) -> object:
    """The figures; those of translations with BLEU and chrF."""
    what = "written exactly" if corpus.answers is None else "answered as the matter asks for"
    rows = [[what, f"{scores.exact:.1%}"]]
    if scores.aligned is not None:
        rows.append(["attention on the true alignment", f"{scores.aligned:.1%}"])
    if corpus.is_translation:
        missing = "pip install sacrebleu"
        rows.append(["BLEU", missing if scores.bleu is None else f"{scores.bleu:.1f}"])
        rows.append(["chrF", missing if scores.chrf is None else f"{scores.chrf:.1f}"])
    return table(title, ["", "test"], rows)
