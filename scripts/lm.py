"""`sidestep lm`: train a character language model, let it write, look into its units."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.scripts.sequences import lm_paint, lm_sample
from sidestep.scripts.sequences.fitting_run import fit
from sidestep.scripts.sequences.lm_figures import counted_nats, language_curve, language_table
from sidestep.scripts.sequences.lm_task import (
    LanguageTask,
    StreamConfig,
    configs_of,
    read_text,
    record_of,
    text_of,
)
from sidestep.scripts.shared.console import console, guarded, run_action
from sidestep.scripts.shared.curves import save_figure
from sidestep.scripts.shared.loop_bar import leave
from sidestep.scripts.shared.modules import NAMED
from sidestep.sequence.fitting.checkpoint import write_atomically
from sidestep.sequence.fitting.fitted import begun, facts_of, resumed, resumption
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig, check_fits
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.models.language import LanguageConfig, LanguageModel

EXAMPLES = """\
  sidestep lm train
  sidestep lm train poems.txt --cell gru --hidden-size 256 --updates 2500 --out runs/poems
  sidestep lm resume runs/poems --updates 5000
  sidestep lm sample runs/poems --prompt "Shall I" --temperature 0.7
  sidestep lm paint runs/poems --find line-position"""


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


@dataclass(frozen=True)
class ResumeOptions:
    """Go on with a run from its last checkpoint, exactly as if it had never stopped."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    updates: int | None = None
    """Train to so many updates; what the run was begun with if left out. Others bend a learning
    rate that falls over all of them."""
    file: Path | None = None
    """Where the text is now, if it was moved."""


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    args = sys.argv[1:] if args is None else args
    guarded("lm", lambda: _main(args))


def _main(args: list[str]) -> None:
    actions: dict[str, tuple[Any, Callable[[Any], Any]]] = {
        "train": (TrainOptions, train),
        "resume": (ResumeOptions, resume),
        "sample": (lm_sample.SampleOptions, lm_sample.sample),
        "paint": (lm_paint.PaintOptions, lm_paint.paint),
    }
    run_action("lm", args, actions, EXAMPLES)


def train(options: TrainOptions) -> Path:
    """Begin a run; returns its folder."""
    torch.set_num_threads(options.fitting.threads)
    text = read_text(options.file)
    task = LanguageTask(text, options.model, options.stream, options.fitting)
    record = record_of(options.file, text, options.model, options.stream, options.fitting)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = options.out or Path("runs") / f"lm-{options.model.cell}-{stamp}"
    fitter = Fitter(task, options.fitting, folder, facts_of(record))
    with begun(folder, "lm", record, NAMED):  # only now: what fails before leaves nothing behind
        finish(fitter, task, folder)
    return folder


def resume(options: ResumeOptions) -> None:
    """Go on with a run."""
    folder = options.run
    with resumed(folder, "lm") as record:
        vocabulary, model, stream = configs_of(folder, record)
        config, tensors, facts = resumption(folder, record, options.updates, console.print)
        check_fits(lambda: LanguageModel(len(vocabulary), model), tensors, model.num_layers)
        torch.set_num_threads(config.threads)
        text = text_of(folder, record, options.file)
        task = LanguageTask(text, model, stream, config)
        fitter = Fitter(task, config, folder, facts_of(record))
        fitter.load_state_dict(tensors, facts)
        finish(fitter, task, folder)


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


if __name__ == "__main__":
    main()
