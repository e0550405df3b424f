"""`sidestep bench language`: character models, their speed, and sequence to sequence."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from matplotlib.figure import Figure

from sidestep.scripts.benches import translation
from sidestep.scripts.benches.language_speed import ROWS, STEPS, bench_speed, speed_markdown
from sidestep.scripts.benches.records import known_result, write_figure, write_result
from sidestep.scripts.benches.skeleton import Flags
from sidestep.scripts.sequences.lm_figures import counted_nats, window_name
from sidestep.scripts.sequences.lm_task import LanguageTask, StreamConfig, read_text
from sidestep.scripts.shared.colours import style_of
from sidestep.scripts.shared.console import command, console, progress
from sidestep.scripts.shared.curves import plain_axes
from sidestep.scripts.shared.tables import markdown_table
from sidestep.sequence.fitting.fitter import Fitter, FittingConfig
from sidestep.sequence.fitting.runs import Progress
from sidestep.sequence.limits import COUNT
from sidestep.sequence.models.language import LanguageConfig

COMMAND = "sidestep bench language"
EXAMPLES = f"""\
  {COMMAND} --text tinyshakespeare.txt --pairs kor-eng.txt
  {COMMAND} --parts characters speed --larger --text tinyshakespeare.txt
  {COMMAND} --quick --out trial"""
Part = Literal["characters", "speed", "translation"]
STREAM = StreamConfig(rows=ROWS, steps=STEPS)


@dataclass(frozen=True)
class Options(Flags):
    """Character models, their speed beside torch.nn, and sequence to sequence."""

    text: Path | None = None
    """What the character models learn, tiny Shakespeare for the published figures; the
    documentation topics of Python itself if left out."""
    pairs: Path | None = None
    """Korean-English pairs, English tab Korean on each line; without them that row is left out."""
    parts: tuple[Part, ...] = ("characters", "speed", "translation")
    """What is measured."""
    larger: bool = False
    """Train the larger character model too, which takes an hour or more of one core."""
    reuse: bool = True
    """Take the models that results/language.json has for this text and these settings, instead of
    training them again."""
    quick: bool = False
    """A few updates of everything: to see that it runs."""
    rounds: int = 15
    """Interleaved rounds of the speed part."""
    threads: int = 1
    """torch's threads."""
    seed: int = 0
    """Of parameters and dropout."""
    limits: ClassVar = {"rounds": COUNT, "threads": COUNT}

    def __post_init__(self) -> None:
        """Check the parts too."""
        super().__post_init__()
        if not self.parts:
            raise ValueError("parts: expected at least one, got none")


@dataclass(frozen=True)
class Candidate:
    """A character model and how it is trained."""

    model: LanguageConfig
    updates: int
    learning_rate: float = 3e-3

    def name(self) -> str:
        """In words."""
        words = f"{self.model.cell.upper()} {self.model.num_layers} x {self.model.hidden_size}"
        return words + (f", dropout {self.model.dropout:g}" if self.model.dropout else "")


def _sized(cell: Literal["rnn", "lstm", "gru"]) -> LanguageConfig:
    return LanguageConfig(cell, hidden_size=256, embedding_size=64)


CANDIDATES = (
    Candidate(_sized("lstm"), 2500, 6e-3),
    Candidate(_sized("rnn"), 2500),
    Candidate(_sized("gru"), 2500),
)
LARGER = Candidate(LanguageConfig("lstm", 512, embedding_size=64, dropout=0.25), 3500, 4e-3)


def bench_characters(options: Options, text: str) -> None:
    """Train every candidate; the section is written after each, so that no hour is lost."""
    chosen = [*CANDIDATES, LARGER] if options.larger else [*CANDIDATES]
    known = _known(options) if options.reuse else {}
    records: dict[str, Any] = {}
    counted: dict[int, float] = {}
    with progress("{task.fields[figures]}") as bar:
        for candidate in chosen:
            name, updates = candidate.name(), 4 if options.quick else candidate.updates
            fitting = FittingConfig(
                updates=updates,
                learning_rate=candidate.learning_rate,
                validate_every=max(1, updates // 10),
                seed=options.seed,
                threads=options.threads,
            )
            task = LanguageTask(text, candidate.model, STREAM, fitting)
            counted = counted or counted_nats(task)
            row = bar.add_task(name, total=updates, figures="")
            settings = {"model": asdict(task.module.config), "fitting": asdict(fitting)}
            record = known.get(name, {})
            if {part: record.get(part) for part in settings} != json.loads(json.dumps(settings)):
                record = settings | _trained(task, fitting, bar, row)
            bar.update(row, completed=updates, figures=f"held out {record['nats']:.3f}")
            records[name] = record
            _write_characters(options, records, counted, len(records) == len(chosen))


def _source(options: Options) -> str:
    return "Python's documentation topics" if options.text is None else options.text.name


def _known(options: Options) -> dict[str, Any]:
    """Models of earlier calls on this text, by name."""
    record = known_result(options.out, "language")
    return dict(record["models"]) if record.get("text") == _source(options) else {}


def _write_characters(
    options: Options, records: dict[str, Any], counted: dict[int, float], finished: bool
) -> None:
    body = characters_markdown(records, counted, _source(options))
    write_figure(options.out, "language-characters", characters_figure(records, counted))
    record = {"text": _source(options), "models": records, "counted": counted}
    command = f"{_command(options)} --parts characters"
    write_result(options, "language", record, body, command, finished=finished)


def _command(options: Options) -> str:
    words = [f"--{name} {value.name}" for name in ("text", "pairs")
             if (value := getattr(options, name)) is not None]  # fmt: skip
    return " ".join([COMMAND, *words, *(["--larger"] if options.larger else [])])


def _trained(task: LanguageTask, fitting: FittingConfig, bar: Any, row: Any) -> dict[str, Any]:
    """Fit one; the best of its validations counts, as `lm train` keeps that checkpoint."""
    curve: list[tuple[int, float]] = []

    def report(state: Progress) -> bool:
        if state.evaluation:
            curve.append((state.steps, state.evaluation["loss"]))
        words = f"held out {curve[-1][1]:.3f}" if curve else f"loss {state.metrics['loss']:.3f}"
        bar.update(row, completed=state.steps, figures=words)
        return True

    fitter = Fitter(task, fitting)
    fitter.run(report)
    best = min(nats for _, nats in curve)
    return {
        "parameters": sum(p.numel() for p in task.module.parameters()),
        "nats": best,
        "bits": best / math.log(2),
        "held_out": len(task.validation),
        "symbols": len(task.vocabulary),
        "curve": curve,
    }


def characters_figure(records: dict[str, Any], counted: dict[int, float]) -> Figure:
    """Held-out nats over updates, with the counted models as levels."""
    figure = Figure(figsize=(7.4, 4.2), dpi=120, layout="constrained")
    axes: Any = figure.subplots()
    for window in (2, 3, 5):  # single characters and pairs lie far above
        if window in counted:
            axes.axhline(counted[window], color="#B8B8B8", linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(window_name(window), (0.99, counted[window]), fontsize=8, ha="right",
                          xycoords=("axes fraction", "data"), xytext=(0, 2), color="#777777",
                          textcoords="offset points")  # fmt: skip
    for number, (name, record) in enumerate(records.items()):
        steps, nats = zip(*record["curve"], strict=True)
        label = f"{name}: {record['nats']:.3f}"
        axes.plot(steps, nats, label=label, **style_of(number, marked=True))
    plain_axes(axes, "updates", "held-out nats per character")
    axes.legend(loc="upper right", bbox_to_anchor=(1, 0.94), edgecolor="none", framealpha=0.9)
    return figure


def characters_markdown(records: dict[str, Any], counted: dict[int, float], source: str) -> str:
    """The section on what the models reach."""
    rows = [
        [window_name(window), f"{nats:.3f}", f"{nats / math.log(2):.3f}", "", "", ""]
        for window, nats in counted.items()
    ]
    for name, record in records.items():
        rows.append([name, f"{record['nats']:.3f}", f"{record['bits']:.3f}",
                     f"{record['fitting']['updates']:,}", f"{record['fitting']['learning_rate']:g}",
                     f"{record['parameters']:,}"])  # fmt: skip
    first = next(iter(records.values()))
    columns = ["model", "nats per character", "bits", "updates", "learning rate", "parameters"]
    words = (
        f"Trained on the first 90 % of {source}, measured on the last {first['held_out']:,} "
        f"characters ({first['symbols']} kinds): embedding of 64, chunks of {STREAM.steps} in "
        f"{STREAM.rows} rows with the state carried, Adam with a rate that falls along a cosine, "
        "one seed, the best of ten validations. The first rows count windows of the same text. "
        "nanoGPT's published figure for tiny Shakespeare is 1.470, by a transformer of 10.7 "
        "million parameters."
    )
    picture = "![Held-out nats over updates](figures/language-characters.png)"
    return f"## Character models\n\n{words}\n\n{markdown_table(columns, rows)}\n\n{picture}"


def run(options: Options) -> None:
    """Measure the parts and write their sections."""
    torch.set_num_threads(options.threads)
    text = read_text(options.text)
    if "characters" in options.parts:
        bench_characters(options, text)
    if "speed" in options.parts:
        models = [(candidate.name(), candidate.model) for candidate in CANDIDATES]
        rows = bench_speed(models, 2 if options.quick else options.rounds, options.seed)
        body = speed_markdown(rows, options.threads)
        record = {"rounds": options.rounds, "models": rows}
        _tell(options, "language-speed", f"{COMMAND} --parts speed", record, body)
    if "translation" in options.parts:
        theirs = translation.Options(
            options.out, options.pairs, options.quick, options.threads, options.seed
        )
        record, body = translation.measure(theirs)
        _tell(options, "translation", f"{_command(options)} --parts translation", record, body)


def _tell(options: Options, name: str, command: str, record: dict[str, Any], body: str) -> None:
    write_result(options, name, record, body, command)
    console.print(body, markup=False)


main = command("bench language", Options, run, EXAMPLES)
