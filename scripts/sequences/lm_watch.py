"""`sidestep lm watch`: a trained character model reads a text, with its units and gates."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import torch
import tyro

from sidestep.scripts.sequences.lm_paint import Property
from sidestep.scripts.sequences.lm_sample import continued
from sidestep.scripts.sequences.lm_task import (
    held_out_text,
    in_known_form,
    load_language_model,
    read_text,
)
from sidestep.scripts.sequences.reading.names import NAMES, SIZE, check_panels
from sidestep.scripts.sequences.reading.reading import Reading, read
from sidestep.scripts.shared.console import console, say
from sidestep.scripts.shared.fonts import missing_words
from sidestep.scripts.shared.forcing import Convention, Forcing, parted
from sidestep.scripts.viewer.recording import MOST_FRAMES, Shot, check_target
from sidestep.sequence.limits import COUNT, LAST_SEED, NATURAL, at_least, check_fields
from sidestep.sequence.models.language import LanguageModel, Vocabulary
from sidestep.sequence.models.sampling import check_sampling
from sidestep.sequence.models.units import PROPERTIES, rank_units

if TYPE_CHECKING:
    from sidestep.scripts.sequences.reading.screen import ReadingScreen

MOST_CHARACTERS = 50_000
"""That are read: every one's units and gates are kept."""
FASTEST = 1000


@dataclass(frozen=True)
class WatchOptions:
    """See a trained model read: space pauses, arrows step and go back, H shows all keys."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    file: Annotated[Path | None, tyro.conf.Positional] = None
    """UTF-8 text; the run's held-out text, all of it where nothing was, or what the model writes
    where it is not there, if left out."""
    writes: bool = False
    """Read what the model itself writes, in place of a text."""
    prompt: str | None = None
    """With --writes: what it continues; read as in `sample`."""
    temperature: float = 0.8
    """With --writes: of its draws."""
    seed: int = 0
    """With --writes: of its draws."""
    begin: int = 0
    """The text's first character that is shown; the model has read those before."""
    length: int = 2000
    """Characters that are read, or written."""
    layer: int = 0
    """The layer that is looked into at first, and whose gates are forced, from 0."""
    forced: Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="GATE=VALUE ...")] = ()
    """Gates of that layer that are held at a value from 0 to 1 while it reads, and writes: f, i, o
    of an LSTM, r, z of a GRU."""
    convention: Convention = "keeps"
    """What an open z of a GRU does, here and in its panel: it keeps the past, or it updates it."""
    unit: int | None = None
    """Colours the text at first, from 0; unit 0, or the best one of --find, if left out."""
    state: Literal["h", "c"] | None = None
    """What colours the text: h, or c, tanh of an LSTM's cell; c where there is one if left out."""
    find: Property | None = None
    """Take the layer's unit that follows this property of the text best."""
    panels: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar=f"[{{{','.join(NAMES)}}} ...]")
    ] = NAMES  # fmt: skip
    """What is shown beside the text; `--panels` alone: nothing."""
    fps: float = 8.0
    """Characters a second."""
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""
    out: Path | None = None
    """Draw into this file instead of a window: a .gif, .mp4, .html (a page with a player), .png."""
    at: int | None = None
    """The character that was read last at first, counted from --begin; 0 if left out, and of a .png
    the last one of a film."""
    frames: int = 60
    """With --out: characters that are read, one a picture."""
    size: str = "x".join(map(str, SIZE))
    """With --out: width x height in pixels."""

    def __post_init__(self) -> None:
        """Check every field."""
        check_sampling(self.temperature, 0)
        limits = {
            "length": at_least(1, MOST_CHARACTERS),
            "begin": NATURAL,
            "at": NATURAL,
            "layer": NATURAL,
            "seed": at_least(0, LAST_SEED),
            "frames": COUNT,
        }
        check_fields(self, limits)
        check_panels(self.panels)
        if not 0 < self.fps <= FASTEST:
            raise ValueError(f"fps: expected more than 0, at most {FASTEST}, got {self.fps}")
        if self.writes and self.file is not None:
            raise ValueError(f"expected a text or --writes, got both ({self.file})")
        if self.prompt is not None and not self.writes:
            raise ValueError("prompt: expected --writes beside it, got none")
        if self.prompt == "":
            raise ValueError("prompt: expected at least one character, got none")
        if self.unit is not None and self.find is not None:
            raise ValueError("expected --unit or --find, got both")
        if self.out is not None:
            check_target(self.out)
        pixels(self.size)
        parted(self).forcing()

    def forcing(self) -> Forcing:
        """The gates that are forced."""
        return Forcing.of(self.forced, self.convention, self.layer)


def watch(options: WatchOptions) -> Reading:
    """Read, then show it in a window or draw it into a file; returns the reading."""
    from sidestep.scripts.sequences.reading.screen import ReadingScreen  # here: it loads a world
    from sidestep.scripts.viewer.letters import lacking

    torch.set_num_threads(1)
    options = parted(options)
    forcing = options.forcing()
    model, vocabulary = load_language_model(options.run, options.checkpoint)
    if forcing or forcing.convention != "keeps":
        forcing = forcing.on(model.recurrent)
    writer = forcing.in_model(model) if forcing else model
    before, text = _text(options, writer, vocabulary)
    try:
        with console.status(f"Reading {len(text):,} characters"):
            reading = read(model, vocabulary, text, before, forcing)
            own = read(model, vocabulary, text, before) if forcing else reading
    except ValueError as error:
        raise ValueError(f"{options.file or 'text'}, {error}") from None
    screen = ReadingScreen(
        reading,
        title=f"sidestep lm watch: {options.run}",
        speed=options.fps,
        panels=options.panels,
        at=_first(options, len(text)),
        layer=options.layer,
        part=options.state,
        unit=options.unit or 0,
    )
    if options.find is not None:
        _find(screen, options.find)
    remark = missing_words(lacking(text))
    if remark:
        say(remark)
    if options.out is None:
        try:
            screen.show_until_closed()
        except OSError as error:  # no screen
            words = str(error).partition(";")[0]
            raise OSError(f"{words}; --out reading.gif draws it without one") from None
    else:
        _record(screen, options, options.out)
    mean, free = (found.mean_nats(len(text) - 1) for found in (reading, own))
    if forcing:
        say(forcing.statement())
    beside = f", {free:.3f} with its own gates" if forcing else ""
    say(f"{len(text):,} characters, {mean:.3f} nats per character{beside}")
    return reading


def _first(options: WatchOptions, length: int) -> int:
    """The character that is read last in the first picture."""
    if options.at is not None:
        return options.at
    alone = options.out is not None and options.out.suffix == ".png"
    return min(options.frames, length) - 1 if alone else 0


def _text(options: WatchOptions, model: LanguageModel, vocabulary: Vocabulary) -> tuple[str, str]:
    """What is read before, and what is shown."""
    if options.writes:
        text = _written(options, model, vocabulary)
    elif options.file is not None:
        text = in_known_form(read_text(options.file), vocabulary)
    else:
        try:
            text = held_out_text(options.run, vocabulary)
        except (OSError, ValueError) as error:  # moved, or another Python's documentation
            say(f"{error}; what the model writes is read in its place")
            text = _written(options, model, vocabulary)
    if options.begin >= len(text):
        raise ValueError(f"begin: expected less than the text's {len(text):,}, got {options.begin}")
    return text[: options.begin], text[options.begin : options.begin + options.length]


def _written(options: WatchOptions, model: LanguageModel, vocabulary: Vocabulary) -> str:
    """What the model writes after the prompt, with it."""
    length, heat = options.begin + options.length, options.temperature
    (text,) = continued(model, vocabulary, options.prompt, length, options.seed, temperature=heat)
    return text


def _find(screen: "ReadingScreen", wanted: Property) -> None:
    """Choose the unit of the screen's layer that follows a property best, and say so."""
    states = screen.reading.layers[screen.layer].states[screen.part]
    try:
        best = rank_units(torch.from_numpy(states), PROPERTIES[wanted](screen.reading.text))[0]
    except ValueError as error:
        raise ValueError(f"{wanted}: {error}") from None
    screen.choose(best.unit)
    say(f"unit {best.unit} follows {wanted} best: correlation {best.correlation:+.2f}")


def _record(screen: "ReadingScreen", options: WatchOptions, out: Path) -> None:
    """Write the pictures of the first characters, one each."""
    from sidestep.scripts.viewer.env_pictures import off_screen
    from sidestep.scripts.viewer.page import write_shots

    words = f"{options.run.name} reads, a character at a time"
    made = f"sidestep lm watch {options.run.name} --out {out.name}"
    with off_screen():
        count = write_shots(out, _shots(screen, options, out), options.fps, words, made)
    size = out.stat().st_size / 1e6
    most = " (a film takes no more)" if count == MOST_FRAMES else ""
    say(f"{out}: {count} picture{'s' * (count > 1)}{most}, {size:.2f} MB")


def _shots(screen: "ReadingScreen", options: WatchOptions, out: Path) -> Iterator[Shot]:
    """A picture for each character, or the present one alone."""
    count = 1 if out.suffix == ".png" else options.frames
    for number in range(count):
        last = number == count - 1 or screen.is_over
        yield Shot(screen.picture(pixels(options.size)), hold=last)
        if last:
            return
        screen.tick()


def pixels(size: str) -> tuple[int, int]:
    """A size such as 960x600 as numbers.

    Raises:
        ValueError: no such size.
    """
    parts = size.split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ValueError(f"size: expected WIDTHxHEIGHT, got {size!r}")
    width, height = int(parts[0]), int(parts[1])
    if not (160 <= width <= 4096 and 120 <= height <= 4096):
        raise ValueError(f"size: expected 160x120 to 4096x4096, got {size}")
    return width, height
