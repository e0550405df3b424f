"""`sidestep translate`: train a sequence-to-sequence model, use it, measure it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.scripts.sequences import translate_run
from sidestep.scripts.sequences.fitting_run import Remade, ResumeOptions, begin, fit, go_on
from sidestep.scripts.sequences.hangul import check_font, tell_font
from sidestep.scripts.sequences.translate_chat import ChatOptions, chat
from sidestep.scripts.sequences.translate_data import Corpus, DataConfig, corpus_of
from sidestep.scripts.sequences.translate_figures import (
    attention_figure,
    attention_text,
    translation_curve,
)
from sidestep.scripts.sequences.translate_search import (
    SearchConfig,
    look_of,
    scores_of,
    worth_showing,
)
from sidestep.scripts.sequences.translate_task import (
    TranslationTask,
    corpus_again,
    make_model,
    record_of,
    run_of,
)
from sidestep.scripts.sequences.translate_watch import WatchOptions, watch
from sidestep.scripts.shared.console import command_of_actions, console, table
from sidestep.scripts.shared.curves import save_figure
from sidestep.scripts.shared.loop_bar import leave
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.models.beams import Hypothesis
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig

EXAMPLES = """\
  sidestep translate train
  sidestep translate train --task dates --out runs/dates
  sidestep translate run runs/dates "2021년 3월 4일" "the 4th of March 2021" --search beam
  sidestep translate watch runs/korean "수지가 어제 책을 읽었다." --out steps.gif
  sidestep translate train pairs.tsv --swap --attention general --out runs/pairs
  sidestep translate evaluate runs/pairs --search beam --beam-width 5
  sidestep translate evaluate runs/narrow runs/wide --by-length
  sidestep translate train --task chat --out runs/chat
  sidestep translate chat runs/chat
  sidestep translate resume runs/pairs --updates 3000"""

SOME = 100
"""Training pairs that stand in for a test that is not there."""


@dataclass(frozen=True)
class TrainOptions:
    """Train an encoder and a decoder on a generated task or a file of pairs."""

    file: Annotated[Path | None, tyro.conf.Positional] = None
    """UTF-8 text, SOURCE tab TARGET on each line; the generated task if left out."""
    out: Path | None = None
    """The run's folder, which must be new; runs/translate-TASK-TIME if left out."""
    data: tyro.conf.OmitArgPrefixes[DataConfig] = field(default_factory=DataConfig)
    model: tyro.conf.OmitArgPrefixes[Seq2SeqConfig] = field(default_factory=Seq2SeqConfig)
    fitting: tyro.conf.OmitArgPrefixes[FittingConfig] = field(
        default_factory=lambda: FittingConfig(updates=800, validate_every=100)
    )


def train(options: TrainOptions) -> Path:
    """Begin a run; returns its folder."""
    torch.set_num_threads(options.fitting.threads)
    check_font()
    corpus = corpus_of(options.file, options.data, options.model.max_source)
    task = TranslationTask(corpus, options.data, options.model, options.fitting)
    record = record_of(corpus, options.data, options.model, options.fitting)

    def told(fitter: Fitter, task: TranslationTask, folder: Path) -> None:
        console.print(corpus.words)
        finish(fitter, task, folder)

    return begin("translate", corpus.languages.name, options.out, record, task, told)


def resume(options: ResumeOptions) -> None:
    """Go on with a run."""
    check_font()

    def remake(record: dict[str, Any]) -> Remade:
        run = run_of(options.run, record)

        def task(config: FittingConfig) -> TranslationTask:
            corpus = corpus_again(options.run, run, options.file)
            return TranslationTask(corpus, run.data, run.model, config)

        return Remade(lambda: make_model(run.languages, run.model), 1, task)

    go_on("translate", options, remake, finish)


def finish(fitter: Fitter, task: TranslationTask, folder: Path) -> None:
    """Fit with a progress bar; then the test, examples, curve.png and attention.png."""
    stopped = fit(fitter, "translate")
    task.model.eval()
    corpus, config = shown_of(task.corpus), task.model.config
    scores, found = scores_of(task.model, corpus, SearchConfig(), task.data.max_target)
    what = "no attention" if config.attention == "none" else f"{config.attention} attention"
    title = f"{corpus.languages.name}: {config.cell.upper()} {config.hidden_size}, {what}"
    seen = "never seen" if task.corpus.test else "learnt from, nothing held out"
    speed = f"{fitter.updates:,} updates in {fitter.seconds:.0f} s"
    heading = f"{title}; {speed}; {len(corpus.test):,} pairs {seen}, greedy"
    console.print(translate_run.scores_table(heading, scores, corpus))
    shown = worth_showing(corpus.test)
    console.print(_examples(corpus, found, shown))
    looks = [look_of(corpus.languages, corpus.test[n], found[n]) for n in shown]
    drawn = [look for look in looks if look is not None]
    if drawn:
        console.print(attention_text(drawn[0], console.width))
        save_figure(attention_figure(drawn, title), folder / "attention.png")
        tell_font(token for look in drawn for token in (*look.source, *look.target))
    save_figure(translation_curve(read_log(folder), title), folder / "curve.png")
    console.print(f"Run folder: {folder}", soft_wrap=True, markup=False)
    leave(stopped)


def shown_of(corpus: Corpus) -> Corpus:
    """The corpus; where nothing is held out for a test, with some training pairs in its place."""
    if corpus.test:
        return corpus
    pairs = list(dict.fromkeys(corpus.train(0, 0, SOME)))
    return replace(
        corpus, test=pairs, references=[corpus.languages.join_target(p.target) for p in pairs]
    )


def _examples(corpus: Corpus, found: list[Hypothesis], shown: list[int]) -> Any:
    """A few pairs of the test with what was written."""
    rows = []
    for number in [*shown, *[n for n in range(5) if n not in shown]]:
        if number >= len(corpus.test):
            continue
        languages = corpus.languages
        tokens = languages.target.decode(found[number].tokens)
        text, right = languages.join_target(tokens), tuple(tokens) in corpus.accepted(number)
        source = languages.join_source(corpus.test[number].source)
        rows.append([source, text, "=" if right else corpus.references[number]])
    return table("", ["source", "written", "reference"], rows)


ACTIONS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "train": (TrainOptions, train),
    "resume": (ResumeOptions, resume),
    "run": (translate_run.RunOptions, translate_run.run),
    "evaluate": (translate_run.EvaluateOptions, translate_run.evaluate),
    "watch": (WatchOptions, watch),
    "chat": (ChatOptions, chat),
}
main = command_of_actions("translate", ACTIONS, EXAMPLES)

if __name__ == "__main__":
    main()
