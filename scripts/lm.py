"""`sidestep lm`: train a character language model, let it write, look into its units."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.scripts.sequences import (
    lm_corpus,
    lm_evaluate,
    lm_hello,
    lm_paint,
    lm_sample,
    lm_watch,
)
from sidestep.scripts.sequences.fitting_run import Remade, ResumeOptions, begin, fit, go_on
from sidestep.scripts.sequences.lm_figures import counted_nats, language_curve, language_table
from sidestep.scripts.sequences.lm_task import (
    LanguageTask,
    StreamConfig,
    configs_of,
    read_text,
    record_of,
    text_of,
)
from sidestep.scripts.shared.console import command_of_actions, console
from sidestep.scripts.shared.curves import save_figure
from sidestep.scripts.shared.loop_bar import leave
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.models.language import LanguageConfig, LanguageModel

EXAMPLES = """\
  sidestep lm train
  sidestep lm train poems.txt --cell gru --hidden-size 256 --updates 2500 --out runs/poems
  sidestep lm resume runs/poems --updates 5000
  sidestep lm sample runs/poems --prompt "Shall I" --temperature 0.7
  sidestep lm paint runs/poems --find line-position
  sidestep lm watch runs/poems
  sidestep lm watch runs/poems verse.txt --find line-position --out reading.gif
  sidestep lm corpus dialogue --out talk.txt --characters 300000
  sidestep lm evaluate runs/talk --order 5
  sidestep lm hello --out hello.gif
  sidestep lm hello --word 안녕하세요 --cell gru --size 5"""


@dataclass(frozen=True)
class TrainOptions:
    """Train a character model on a text and leave a run folder."""

    file: Annotated[Path | None, tyro.conf.Positional] = None
    """UTF-8 text; the documentation topics of Python itself if left out."""
    out: Path | None = None
    """The run's folder, which must be new; runs/lm-CELL-TIME if left out."""
    model: tyro.conf.OmitArgPrefixes[LanguageConfig] = field(default_factory=LanguageConfig)
    stream: tyro.conf.OmitArgPrefixes[StreamConfig] = field(default_factory=StreamConfig)
    fitting: tyro.conf.OmitArgPrefixes[FittingConfig] = field(
        default_factory=lambda: FittingConfig(updates=1200, learning_rate=4e-3, validate_every=200)
    )


def train(options: TrainOptions) -> Path:
    """Begin a run; returns its folder."""
    torch.set_num_threads(options.fitting.threads)
    text = read_text(options.file)
    task = LanguageTask(text, options.model, options.stream, options.fitting)
    record = record_of(options.file, text, options.model, options.stream, options.fitting)
    return begin("lm", options.model.cell, options.out, record, task, finish)


def resume(options: ResumeOptions) -> None:
    """Go on with a run."""

    def remake(record: dict[str, Any]) -> Remade:
        vocabulary, model, stream = configs_of(options.run, record)

        def task(config: FittingConfig) -> LanguageTask:
            return LanguageTask(text_of(options.run, record, options.file), model, stream, config)

        return Remade(lambda: LanguageModel(len(vocabulary), model), model.num_layers, task)

    go_on("lm", options, remake, finish)


def finish(fitter: Fitter, task: LanguageTask, folder: Path) -> None:
    """Fit with a progress bar; then the table, curve.png and samples.txt."""
    stopped = fit(fitter, "lm")
    records, config = read_log(folder), task.module.config
    counted = counted_nats(task)
    title = f"{config.cell.upper()} {config.num_layers} x {config.hidden_size}"
    task.module.eval()
    measured = "held-out text" if len(task.validation) else "nothing held out"
    console.print(language_table(title, fitter, task, records, counted))
    save_figure(language_curve(records, f"{title}, {measured}", counted), folder / "curve.png")
    write_atomically(folder / "samples.txt", task.sampled_text().encode())
    if task.samples:
        number, sample = task.samples[-1]
        console.print(f"After {number:,} updates it writes:", style="bold")
        written = task.vocabulary.decode(task.prompt) + task.vocabulary.decode(sample)
        console.print(written, markup=False, highlight=False)
    console.print(f"Run folder: {folder}", soft_wrap=True, markup=False)
    leave(stopped)


ACTIONS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "train": (TrainOptions, train),
    "resume": (ResumeOptions, resume),
    "sample": (lm_sample.SampleOptions, lm_sample.sample),
    "paint": (lm_paint.PaintOptions, lm_paint.paint),
    "watch": (lm_watch.WatchOptions, lm_watch.watch),
    "corpus": (lm_corpus.CorpusOptions, lm_corpus.corpus),
    "evaluate": (lm_evaluate.EvaluateOptions, lm_evaluate.evaluate),
    "hello": (lm_hello.HelloOptions, lm_hello.hello),
}
main = command_of_actions("lm", ACTIONS, EXAMPLES)

if __name__ == "__main__":
    main()
