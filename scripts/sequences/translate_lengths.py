"""`sidestep translate evaluate RUN... --by-length`: right answers over the source's length."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sidestep.agents.acting.evaluation import proportion_interval
from sidestep.scripts.sequences.translate_data import TASKS, Corpus
from sidestep.scripts.sequences.translate_search import SearchConfig, bleu_and_chrf, translated
from sidestep.scripts.sequences.translate_task import Run, corpus_again, load_translator
from sidestep.scripts.shared.colours import style_of
from sidestep.scripts.shared.console import table
from sidestep.scripts.shared.curves import draw_title, plain_axes
from sidestep.sequence.tasks.task import examples

MOST_ROWS = 24
"""More lengths than this are put together, so many at a time that no more rows remain."""
BY_LENGTH = "by-length.png"
"""The picture's name in the first run's folder."""


class LengthScore(NamedTuple):
    """Answers to the sources of some lengths.

    Attributes:
        low: shortest source, in tokens.
        high: longest.
        pairs: how many sources.
        right: how many of them were answered rightly.
        bleu: corpus BLEU of their answers; None unless asked for.
    """

    low: int
    high: int
    pairs: int
    right: int
    bleu: float | None = None

    @property
    def words(self) -> str:
        """The lengths."""
        return f"{self.low}" if self.low == self.high else f"{self.low} to {self.high}"


@dataclass(frozen=True)
class Measured:
    """A run with its scores.

    Attributes:
        name: of the run's folder.
        attention: its score, or "no attention".
        scores: one for each row of lengths, the shortest first.
    """

    name: str
    attention: str
    scores: list[LengthScore]

    @property
    def label(self) -> str:
        """Name and attention."""
        return f"{self.name} ({self.attention})"


def measure_lengths(
    folders: Sequence[Path],
    checkpoint: str,
    search: SearchConfig,
    count: int,
    file: Path | None = None,
) -> tuple[str, list[Measured]]:
    """Translate the same pairs by every run, and count right answers by the source's length.

    Args:
        folders: of the runs.
        checkpoint: best, last, or a name.
        search: how.
        count: pairs of a generated task; of a file the whole test split.
        file: where the pairs are now, if they were moved.

    Returns:
        The task's name, and a measured run for each folder.

    Raises:
        ValueError: runs of different tasks or pairs, or without a test split.
    """
    first: Corpus | None = None
    found = []
    for folder in folders:
        model, record = load_translator(folder, checkpoint)
        corpus = _more(corpus_again(folder, record, file), record, count)
        if not corpus.test:
            raise ValueError(f"{folder}: expected a test split, got a run that held nothing out")
        first = first or corpus
        if corpus.test != first.test:
            raise ValueError(
                f"runs: expected runs with one test split, got {_what(first)} of {folders[0]} and "
                f"{_what(corpus)} of {folder}"
            )
        right, texts = translated(model, corpus, search, record.data.max_target)
        what = record.model.attention
        said = "no attention" if what == "none" else f"{what} attention"
        found.append(Measured(folder.name, said, scores_by_length(corpus, right, texts)))
    assert first is not None
    return first.languages.name, found


def _what(corpus: Corpus) -> str:
    name = corpus.languages.name
    return "a file's pairs" if name == "file" else name


def _more(corpus: Corpus, record: Run, count: int) -> Corpus:
    """The corpus with so many pairs of its generated task in the test split."""
    name = record.languages.name
    if name not in TASKS:
        return corpus
    task = TASKS[name]()
    pairs = examples(task, "test", count, seed=0)
    return replace(corpus, test=pairs, references=[task.join_target(p.target) for p in pairs])


def scores_by_length(
    corpus: Corpus, right: Sequence[bool], texts: Sequence[str]
) -> list[LengthScore]:
    """Put answers together by the length of their sources; see `MOST_ROWS`.

    Args:
        corpus: whose test split was translated.
        right: whether each answer is.
        texts: the answers.
    """
    lengths = [len(pair.source) for pair in corpus.test]
    low = min(lengths)
    width = -(-(max(lengths) - low + 1) // MOST_ROWS)
    rows: dict[int, list[int]] = defaultdict(list)
    for number, length in enumerate(lengths):
        rows[(length - low) // width].append(number)
    found = []
    for row, numbers in sorted(rows.items()):
        begin = low + row * width
        bleu = None
        if corpus.is_translation:
            some = [texts[n] for n in numbers], [corpus.references[n] for n in numbers]
            bleu = bleu_and_chrf(*some, corpus.languages.units[1] == "character")[0]
        hits = sum(right[n] for n in numbers)
        found.append(LengthScore(begin, begin + width - 1, len(numbers), hits, bleu))
    return found


def lengths_table(task: str, measured: Sequence[Measured]) -> Any:
    """A row for each length, a column for each run's share of right answers, and BLEU if any."""
    columns = ["source tokens", "pairs", *(one.label for one in measured)]
    with_bleu = any(score.bleu is not None for one in measured for score in one.scores)
    if with_bleu:
        columns += [f"BLEU {one.name}" for one in measured]
    rows = []
    for scores in zip(*(one.scores for one in measured), strict=True):
        row = [scores[0].words, f"{scores[0].pairs}"]
        row += [f"{score.right / score.pairs:.1%}" for score in scores]
        if with_bleu:
            row += ["" if score.bleu is None else f"{score.bleu:.1f}" for score in scores]
        rows.append(row)
    return table(f"{task}: right answers by the length of the source", columns, rows)


def lengths_figure(task: str, measured: Sequence[Measured], search: str) -> Figure:
    """Share of right answers over the source's length, with 95 % intervals, a line for each run."""
    figure = Figure(figsize=(7.2, 3.8), dpi=120, layout="constrained")
    draw_title(figure, f"{task}: right answers over the length of the source, {search}")
    axes = figure.subplots()
    for number, one in enumerate(measured):
        places = [(score.low + score.high) / 2 for score in one.scores]
        shares = [proportion_interval(score.right, score.pairs) for score in one.scores]
        style = style_of(number, marked=True)
        middle = [share[0] for share in shares]
        low, high = ([share[k] for share in shares] for k in (1, 2))
        axes.fill_between(places, low, high, color=style["color"], alpha=0.15, lw=0)
        axes.plot(places, middle, label=one.label, **style)
    plain_axes(axes, "tokens of the source", "share of right answers")
    axes.set_ylim(-0.03, 1.03)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9, loc="best")
    return figure


def lengths_record(task: str, measured: Sequence[Measured], search: SearchConfig) -> dict[str, Any]:
    """What the JSON file holds."""
    runs = [
        {"run": one.name, "attention": one.attention, "by_length": [_row(s) for s in one.scores]}
        for one in measured
    ]
    return {"task": task, "search": vars(search), "runs": runs}


def _row(score: LengthScore) -> dict[str, Any]:
    return {name: value for name, value in score._asdict().items() if value is not None}
