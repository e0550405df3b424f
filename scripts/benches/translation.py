"""The part of `sidestep bench language` on sequence to sequence: tasks with known answers, pairs.

`measure` returns figures and the section's text, and draws two figures.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from matplotlib.figure import Figure

from sidestep.scripts.benches.records import write_figure
from sidestep.scripts.benches.skeleton import Flags
from sidestep.scripts.sequences.translate_data import Corpus, DataConfig, corpus_of
from sidestep.scripts.sequences.translate_figures import attention_figure
from sidestep.scripts.sequences.translate_search import (
    Scores,
    SearchConfig,
    look_of,
    scores_of,
    worth_showing,
)
from sidestep.scripts.sequences.translate_task import TranslationTask, write
from sidestep.scripts.shared.console import progress
from sidestep.scripts.shared.curves import BLUE, GREY, ORANGE, plain_axes
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.fitting.runs import Progress
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig
from sidestep.sequence.tasks.task import examples, reversal

SHORTEST, TRAINED, LONGEST = 3, 20, 26
"""Lengths of reversal that are measured; the model is trained on 1 to TRAINED."""
LONG = range(16, 21)
ATTENTIONS: tuple[Literal["additive", "none"], ...] = ("additive", "none")
MAX_SOURCE, MAX_TARGET = 40, 20
"""Longest Korean sources, in syllables, and English targets, in words."""


@dataclass(frozen=True)
class Options(Flags):
    """Encoder and decoder with and without attention, on generated tasks and real pairs."""

    pairs: Path | None = None
    """Korean-English pairs, English tab Korean on each line, as manythings.org/anki has them from
    Tatoeba; without them that row is left out."""
    quick: bool = False
    """A few updates of everything: to see that it runs."""
    threads: int = 1
    """torch's threads."""
    seed: int = 0
    """Of parameters and batches."""

    def updates(self, number: int) -> int:
        """So many, or few if it is to be quick."""
        return 3 if self.quick else number


@dataclass(frozen=True)
class Fitted:
    """A trained model with what was measured of it."""

    task: TranslationTask
    seconds: float
    updates: int
    scores: Scores

    def record(self) -> dict[str, Any]:
        """For results/translation.json."""
        model = self.task.model
        return {
            **self.scores.figures(),
            "seconds": self.seconds,
            "updates": self.updates,
            "parameters": sum(p.numel() for p in model.parameters()),
            "model": asdict(model.config),
            "test_pairs": len(self.task.corpus.test),
        }


def fit(
    name: str,
    corpus: Corpus,
    data: DataConfig,
    model: Seq2SeqConfig,
    fitting: FittingConfig,
    search: SearchConfig | None = None,
) -> Fitted:
    """Train without a folder, keep the best by validation, and translate the test split."""
    task = TranslationTask(corpus, data, model, fitting)
    fitter = Fitter(task, fitting)
    best: tuple[float, dict[str, torch.Tensor]] | None = None
    with progress("{task.fields[figures]}") as bar:
        shown = bar.add_task(name, total=fitting.updates, figures="")

        def report(state: Progress) -> bool:
            nonlocal best
            if state.evaluation and (best is None or state.evaluation["loss"] < best[0]):
                weights = {k: v.clone() for k, v in task.model.state_dict().items()}
                best = state.evaluation["loss"], weights
            figures = f"loss {state.metrics['loss']:.3f}"
            bar.update(shown, completed=state.steps, figures=figures)
            return True

        fitter.run(report)
    assert best is not None
    task.model.load_state_dict(best[1])
    task.model.eval()
    scores, _ = scores_of(task.model, corpus, search or SearchConfig(), data.max_target)
    return Fitted(task, fitter.seconds, fitting.updates, scores)


def fitting_of(options: Options, updates: int, **changes: Any) -> FittingConfig:
    """The training of a bench: as the command's, but for what is named."""
    number = options.updates(updates)
    every = max(1, number // 6)
    config = FittingConfig(updates=number, validate_every=every, seed=options.seed)
    return replace(config, threads=options.threads, **changes)


def exact_by_length(fitted: Fitted, lengths: Sequence[int], most: int) -> dict[int, float]:
    """Share of the test's digits of each length that are reversed without a mistake."""
    task, shares = fitted.task, {}
    data = replace(task.data, max_target=max(lengths))
    for length in lengths:
        count = most if length > SHORTEST else min(most, 50)  # there are about 100 of three digits
        pairs = examples(reversal(length, length), "test", count, seed=1)
        written = write(task.model, task.languages, [p.source for p in pairs], data)
        shares[length] = sum(
            w == list(p.target) for w, p in zip(written, pairs, strict=True)
        ) / len(pairs)
    return shares


def bench_reversal(options: Options) -> dict[str, Any]:
    """Reversal of 1 to 20 digits, GRU 128, 1,500 updates of 64: with attention and without."""
    data = DataConfig(task="reversal")
    lengths = range(SHORTEST, LONGEST + 1)
    records: dict[str, Any] = {}
    for attention in ATTENTIONS:
        model = Seq2SeqConfig(hidden_size=128, attention=attention)
        corpus = corpus_of(None, data, model.max_source)
        fitting = fitting_of(options, 1500)
        fitted = fit(f"reversal, attention {attention}", corpus, data, model, fitting)
        shares = exact_by_length(fitted, lengths, 20 if options.quick else 200)
        records[attention] = {
            **fitted.record(),
            "exact_by_length": shares,
            "exact_16_to_20": sum(shares[length] for length in LONG) / len(LONG),
        }
    return records


def bench_task(options: Options, name: str, updates: int) -> tuple[dict[str, Any], Fitted]:
    """A generated task with the command's own model."""
    data, model = DataConfig(task=name), Seq2SeqConfig()  # type: ignore[arg-type]
    corpus = corpus_of(None, data, model.max_source)
    fitted = fit(name, corpus, data, model, fitting_of(options, updates))
    return fitted.record(), fitted


def bench_pairs(options: Options, path: Path) -> dict[str, Any]:
    """Korean to English on a file's fixed split, with attention and without, by beam search."""
    data = DataConfig(swap=True, max_target=MAX_TARGET)
    search = SearchConfig(search="beam", beam_width=5, length_penalty=0.6)
    records: dict[str, Any] = {}
    for attention in ATTENTIONS:
        model = Seq2SeqConfig(dropout=0.4, max_source=MAX_SOURCE, attention=attention)
        corpus = corpus_of(path, data, model.max_source)
        fitting = fitting_of(options, 800)
        fitted = fit(f"Korean-English, attention {attention}", corpus, data, model, fitting, search)
        records[attention] = {**fitted.record(), "split": corpus.words}
    return records


def length_figure(records: dict[str, Any]) -> Figure:
    """Share reversed exactly over length, with attention and without."""
    figure = Figure(figsize=(6.4, 3.6), dpi=120, layout="constrained")
    axes = figure.subplots()
    for name, colour, label, place in (
        ("additive", BLUE, "with attention", (9, 0.94)),
        ("none", ORANGE, "without attention", (11.8, 0.62)),
    ):
        shares = {int(k): v for k, v in records[name]["exact_by_length"].items()}
        axes.plot(list(shares), list(shares.values()), color=colour, marker="o", markersize=3.5)
        axes.text(place[0], place[1], label, color=colour, va="top")
    axes.axvspan(TRAINED + 0.5, LONGEST + 0.5, color=GREY, alpha=0.15, lw=0)
    axes.text(TRAINED + 0.7, 0.2, "longer than\nany in training", fontsize=8, color="#555555")
    plain_axes(axes, "digits to reverse", "share without a mistake")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(SHORTEST - 0.5, LONGEST + 0.5)
    figure.suptitle("Reversal by an encoder and a decoder, GRU 128, 1,500 updates of 64",
                    x=0.01, ha="left", fontsize=10)  # fmt: skip
    return figure


def alignment_figure(fitted: Fitted) -> Figure:
    """The attention of two sentences of the word-order test whose alignment crosses."""
    corpus = fitted.task.corpus
    shown = worth_showing(corpus.test)
    picked = replace(corpus, test=[corpus.test[n] for n in shown],
                     references=[corpus.references[n] for n in shown])  # fmt: skip
    _, found = scores_of(fitted.task.model, picked, SearchConfig(), fitted.task.data.max_target)
    looks = [look_of(corpus.languages, p, o) for p, o in zip(picked.test, found, strict=True)]
    drawn = [look for look in looks if look is not None]
    return attention_figure(drawn, "Korean to English")


def measure(options: Options) -> tuple[dict[str, Any], str]:
    """Everything; returns the figures and the section's body.

    Raises:
        OSError, ValueError: the file of pairs is not there, or wrong; before anything is trained.
    """
    torch.set_num_threads(options.threads)
    if options.pairs is not None:
        corpus_of(options.pairs, DataConfig(swap=True, max_target=MAX_TARGET), MAX_SOURCE)
    start = time.perf_counter()
    record: dict[str, Any] = {"seed": options.seed, "reversal": bench_reversal(options)}
    record["dates"], _ = bench_task(options, "dates", 800)
    record["word_order"], fitted = bench_task(options, "word-order", 600)
    if options.pairs is not None:
        record["korean_english"] = bench_pairs(options, options.pairs)
    record["seconds"] = time.perf_counter() - start
    write_figure(options.out, "translation-lengths", length_figure(record["reversal"]))
    write_figure(options.out, "translation-alignment", alignment_figure(fitted))
    return record, markdown(record)


def markdown(record: dict[str, Any]) -> str:
    """The section of results.md."""
    rows = []
    for attention, words in (("additive", "with attention"), ("none", "without")):
        one = record["reversal"][attention]
        rows.append([f"reversal of 16 to 20 digits, {words}", f"{one['exact_16_to_20']:.1%}",
                     "", f"{one['updates']:,}"])  # fmt: skip
    for key, words in (("dates", "dates to ISO"), ("word_order", "Korean word order to English")):
        one = record[key]
        aligned = f"{one['aligned']:.1%}" if "aligned" in one else ""
        rows.append([words, f"{one['exact']:.1%}", aligned, f"{one['updates']:,}"])  # fmt: skip
    columns = ["task", "exact", "attention on the true alignment", "updates of 64"]
    parts = ["## Sequence to sequence", markdown_table(columns, rows)]
    if "korean_english" in record:
        parts.append(_pairs_markdown(record["korean_english"]))
    parts.append(
        "Targets of the test occur in no training pair. Weights by the best validation loss, one "
        "seed; reversal, dates and word order are decoded greedily."
    )
    return "\n\n".join(parts)


def _pairs_markdown(records: dict[str, Any]) -> str:
    rows = []
    for attention, words in (("additive", "with attention"), ("none", "without")):
        one = records[attention]
        scores = [f"{one[name]:.1f}" if name in one else "" for name in ("bleu", "chrf")]
        rows.append([f"Korean to English, {words}", *scores, f"{one['exact']:.1%}",
                     f"{one['updates']:,}"])  # fmt: skip
    columns = ["real pairs, beam of 5", "BLEU", "chrF", "exact", "updates of 64"]
    signature = records["additive"].get("signature", "")
    return f"{markdown_table(columns, rows)}\n\n{records['additive']['split']}; {signature}."
