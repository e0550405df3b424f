"""`sidestep caption`: from a picture of a world to a sentence about it, Korean or English."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro

from sidestep.envs import Scene
from sidestep.envs.levels.level import Level
from sidestep.scripts.sequences.caption_figures import caption_figure
from sidestep.scripts.sequences.caption_task import (
    TESTED,
    CaptionData,
    CaptionTask,
    captioned,
    describe,
    load_captioner,
    look_shares,
    make_captioner,
    record_of,
    run_of,
    some_scenes,
    vocabulary_of,
)
from sidestep.scripts.sequences.caption_worlds import (
    SIDE,
    check_figures,
    join_caption,
    map_of,
    scene_of,
)
from sidestep.scripts.sequences.fitting_run import Remade, ResumeOptions, begin, fit, go_on
from sidestep.scripts.sequences.hangul import check_font, tell_font
from sidestep.scripts.sequences.translate_figures import translation_curve
from sidestep.scripts.shared.console import check_folder, command_of_actions, console, table
from sidestep.scripts.shared.curves import check_picture, save_figure
from sidestep.scripts.shared.loop_bar import leave
from sidestep.scripts.shared.maps import level_of
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.limits import LAST_SEED, MANY, at_least, check_fields
from sidestep.sequence.models.captioning import Captioner
from sidestep.sequence.models.seq2seq_config import Seq2SeqConfig

EXAMPLES = """\
  sidestep caption train --out runs/caption
  sidestep caption train --language english --out runs/english
  sidestep caption evaluate runs/caption
  sidestep caption show runs/caption --seed 3 --out caption.png
  sidestep caption show runs/caption --level my_level.txt"""

SHOWN = 5
"""Captions of the test that a training ends with."""


@dataclass(frozen=True)
class TrainOptions:
    """Train a small convolution and a decoder on new worlds always."""

    out: Path | None = None
    """The run's folder, which must be new; runs/caption-LANGUAGE-TIME if left out."""
    data: tyro.conf.OmitArgPrefixes[CaptionData] = field(default_factory=CaptionData)
    model: tyro.conf.OmitArgPrefixes[Seq2SeqConfig] = field(
        default_factory=lambda: Seq2SeqConfig(
            hidden_size=64, embedding_size=32, attention="additive", bidirectional=False
        )
    )
    fitting: tyro.conf.OmitArgPrefixes[FittingConfig] = field(
        default_factory=lambda: FittingConfig(updates=300, learning_rate=6e-3, validate_every=100)
    )


@dataclass(frozen=True)
class EvaluateOptions:
    """Caption worlds never seen, and compare with the right sentences."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    worlds: int = TESTED
    """How many worlds of the test split."""
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""

    def __post_init__(self) -> None:
        """Check the number of worlds."""
        check_fields(self, {"worlds": at_least(1, MANY)})


@dataclass(frozen=True)
class ShowOptions:
    """Caption one world, and draw which cells each word looked at."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    level: str | None = None
    """A text file with a level of 6 x 6 cells, the agent at its start; a world of the test split if
    left out."""
    seed: int = 0
    """Chooses the world of the test split."""
    out: Path | None = None
    """Where the picture goes, a .png, .svg or .pdf; RUN/caption.png if left out."""
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""

    def __post_init__(self) -> None:
        """Check the seed and the picture's name."""
        check_fields(self, {"seed": at_least(0, LAST_SEED)})
        check_picture(self.out, "out")


def train(options: TrainOptions) -> Path:
    """Begin a run; returns its folder."""
    torch.set_num_threads(options.fitting.threads)
    check_font()
    task = CaptionTask(options.data, options.model, options.fitting)
    record = record_of(options.data, options.model, options.fitting)
    return begin("caption", options.data.language, options.out, record, task, finish)


def resume(options: ResumeOptions) -> None:
    """Go on with a run."""
    check_font()

    def remake(record: dict[str, Any]) -> Remade:
        data, model = run_of(options.run, record)
        return Remade(
            lambda: make_captioner(data, model), 1, lambda config: CaptionTask(data, model, config)
        )

    go_on("caption", options, remake, finish)


def finish(fitter: Fitter, task: CaptionTask, folder: Path) -> None:
    """Fit with a progress bar; then the test, examples, curve.png and caption.png."""
    stopped = fit(fitter, "caption")
    task.model.eval()
    title = f"captions in {task.data.language.capitalize()}"
    heading = f"{title}: {fitter.updates:,} updates in {fitter.seconds:.0f} s"
    _measure(task.model, task.data, TESTED, heading)
    save_figure(translation_curve(read_log(folder), title), folder / "curve.png")
    _show(task.model, task.data, some_scenes("test", 1, "0")[0], folder / "caption.png", title)
    console.say(f"Run folder: {folder}")
    leave(stopped)


def evaluate(options: EvaluateOptions) -> float:
    """Measure a run on worlds of the test split; returns the share of exact captions."""
    torch.set_num_threads(1)
    model, data = load_captioner(options.run, options.checkpoint)
    return _measure(model, data, options.worlds, f"{options.run}")


def _measure(model: Captioner, data: CaptionData, worlds: int, title: str) -> float:
    """Print the figures and some captions; returns the share of exact ones."""
    some = some_scenes("test", worlds, "0")
    vocabulary, found = vocabulary_of(data.language), describe(model, some)
    written = [tuple(vocabulary.decode(one.tokens)) for one in found]
    wanted = [captioned(scene, data.language) for scene in some]
    exact = sum(w == t for w, t in zip(written, wanted, strict=True)) / worlds
    rows = [["written exactly", f"{exact:.1%}"]]
    shares = look_shares(data.language, some, found)
    rows += [[f"places of the {who}: attention is most on its cell", f"{share:.1%}"]
             for who, share in shares.items()]  # fmt: skip
    console.print(table(f"{title}; {worlds:,} worlds never seen", ["", "test"], rows))
    lines = []
    for text, right in list(zip(written, wanted, strict=True))[:SHOWN]:
        reference = "=" if text == right else join_caption(right, data.language)
        lines.append([join_caption(text, data.language), reference])
    console.print(table("", ["written", "reference"], lines))
    return exact


def show(options: ShowOptions) -> str:
    """Caption one world and draw it; returns the caption."""
    torch.set_num_threads(1)
    check_folder(options.out, "out")
    check_font()
    model, data = load_captioner(options.run, options.checkpoint)
    if options.level is None:
        scene = some_scenes("test", 1, f"{options.seed}")[0]
    else:
        level = Level.parse(level_of(options.level))
        if (level.width, level.height) != (SIDE, SIDE):
            raise ValueError(
                f"level: expected {SIDE}x{SIDE} cells, as captions are learnt from, got "
                f"{level.width}x{level.height}"
            )
        scene = scene_of(level)
        check_figures(scene)
    path = options.out or options.run / "caption.png"
    return _show(model, data, scene, path, f"{options.run.name}: a caption, and what it looked at")


def _show(model: Captioner, data: CaptionData, scene: Scene, path: Path, title: str) -> str:
    """Write one caption, say whether it is right, and draw it."""
    (one,) = describe(model, [scene])
    tokens = vocabulary_of(data.language).decode(one.tokens)
    text = join_caption(tokens, data.language)
    right = join_caption(captioned(scene, data.language), data.language)
    console.say(map_of(scene))
    console.say(text)
    console.say("That is right." if text == right else f"It should be: {right}")
    save_figure(caption_figure(scene, tokens, one.attention, text, title), path)
    tell_font(tokens)
    console.say(f"Picture: {path}")
    return text


ACTIONS: dict[str, tuple[Any, Callable[[Any], object]]] = {
    "train": (TrainOptions, train),
    "resume": (ResumeOptions, resume),
    "evaluate": (EvaluateOptions, evaluate),
    "show": (ShowOptions, show),
}
main = command_of_actions("caption", ACTIONS, EXAMPLES)

if __name__ == "__main__":
    main()
