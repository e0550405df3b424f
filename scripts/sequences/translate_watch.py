"""`sidestep translate watch RUN "..."`: a translation step by step, as tables, window or film."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pygame
import torch
import tyro

from sidestep.envs.drawing import palette
from sidestep.scripts.sequences.hangul import check_font, tell_font
from sidestep.scripts.sequences.translate_picture import draw, picture
from sidestep.scripts.sequences.translate_run import sources_of
from sidestep.scripts.sequences.translate_steps import (
    FIXED,
    Translation,
    context_words,
    step_table,
    translation_of,
)
from sidestep.scripts.sequences.translate_task import load_translator
from sidestep.scripts.shared.console import console, warn
from sidestep.scripts.viewer.keys import Command
from sidestep.scripts.viewer.page import write_shots
from sidestep.scripts.viewer.panels.pen import Pen
from sidestep.scripts.viewer.recording import Shot, check_target
from sidestep.scripts.viewer.show import Show
from sidestep.scripts.viewer.view import draw_message, draw_status
from sidestep.sequence.limits import LAST_SEED, MANY, at_least, check_fields

FASTEST = 1000
"""Steps a second; more would leave no time for keys."""
STATUS = 34
"""Pixels of the line below a window's picture."""
HELP = (
    "Keys",
    "space\tgo on and pause",
    "right, left arrow\tone step forward, one back",
    "A\tfrom the first step again",
    "up, down, + or -\tspeed",
    "F, R\tsave this picture, record on and off",
    "H, Q\tthis help, quit",
)


@dataclass(frozen=True)
class WatchOptions:
    """See a greedy translation step by step: scores, softmax, context, next word."""

    run: Annotated[Path, tyro.conf.Positional]
    """The run's folder."""
    text: Annotated[str | None, tyro.conf.Positional] = None
    """What to translate, in quotes; an example of the test split, chosen by the seed, if left
    out."""
    out: Path | None = None
    """Draw into this file instead of a window: .gif or .mp4 of all steps, .png of one."""
    step: int = 1
    """Of a .png."""
    window: bool = True
    """Whether a window is opened where nothing is drawn into a file."""
    fps: float = 1.0
    """Steps a second of a window or a film."""
    seed: int = 0
    """Chooses the example."""
    checkpoint: str = "best"
    """best (by validation), last, or the name of one in the folder."""

    def __post_init__(self) -> None:
        """Check every field."""
        if not 0 < self.fps <= FASTEST:
            raise ValueError(f"fps: expected more than 0, at most {FASTEST}, got {self.fps}")
        check_fields(self, {"step": at_least(1, MANY), "seed": at_least(0, LAST_SEED)})
        if self.out is not None:
            check_target(self.out)


def watch(options: WatchOptions) -> Translation:
    """Translate, print a table for each step, and draw; returns the steps."""
    torch.set_num_threads(1)
    check_font()
    model, record = load_translator(options.run, options.checkpoint)
    texts = () if options.text is None else (options.text,)
    (source,) = sources_of(texts, record, options.seed)
    languages = record.languages
    translation = translation_of(model, languages, source, record.data.max_target + 1)
    if options.out is not None and options.step > len(translation.looks):
        steps = len(translation.looks)
        raise ValueError(f"step: expected at most {steps}, the steps made, got {options.step}")
    console.print(languages.join_source(source), style="bold")
    for number, look in enumerate(translation.looks):
        console.print(step_table(translation, number))
        console.say(context_words(look.context))
    if translation.states is None:
        console.say(f"This model has {FIXED}.")
    console.say(f"Translation: {translation.text}")
    if options.out is None and not options.window:
        return translation
    tell_font((*translation.source, *(word for look in translation.looks for word, _ in look.best)))
    if options.out is not None:
        words = f"{options.run.name} translates, a step at a time"
        write_shots(options.out, _shots(translation, options), options.fps, words)
        console.say(f"Steps: {options.out}")
        return translation
    try:
        StepShow(translation, f"sidestep translate watch: {options.run.name}", options.fps).run()
    except OSError as error:  # the tables are there
        warn(f"{str(error).partition(';')[0]}; --out steps.gif draws the steps")
    return translation


def _shots(translation: Translation, options: WatchOptions) -> Iterator[Shot]:
    """A picture of each step, or of the one that is asked for."""
    assert options.out is not None
    if options.out.suffix == ".png":
        yield Shot(picture(translation, options.step - 1))
        return
    last = len(translation.looks) - 1
    for number in range(last + 1):
        yield Shot(picture(translation, number), hold=number == last)


class StepShow(Show):
    """A window that goes through the steps of a translation, and stays at the last.

    Args:
        translation: with all steps.
        title: of the window.
        speed: steps a second.
        folder: where pictures and recordings go.
    """

    def __init__(
        self, translation: Translation, title: str, speed: float = 1.0, folder: Path = Path()
    ) -> None:
        """Stand at the first step; `run` opens the window."""
        super().__init__(title, speed, folder)
        self.translation, self.number = translation, 0

    def run(self) -> None:
        """Show until the window is closed."""
        self.show_until_closed()

    @property
    def last(self) -> int:
        """The last step, from 0."""
        return len(self.translation.looks) - 1

    def tick(self) -> None:
        """Go to the next step; the last stays."""
        if self.number == self.last:
            self.paused = True
            self.say("the last step   A: from the first again")
            self.stop_recording()
            return
        self.number += 1
        self.changed = True
        self.expose(hold=self.number == self.last)

    def back(self) -> None:
        """Go to the step before."""
        if self.number == 0:
            self.say("this is the first step")
        self.number = max(0, self.number - 1)
        self.changed = True

    def obey(self, command: Command) -> None:
        """Carry out one command."""
        if command in (Command.AGAIN, Command.NEXT):
            self.number, self.changed = 0, True
        elif command == Command.PAUSE and self.paused and self.number == self.last:
            self.number, self.paused, self.changed = 0, False, True
        else:
            super().obey(command)

    def draw(self, surface: pygame.Surface, status: str, message: Sequence[str] = ()) -> None:
        """Draw the present step, its status line below, and a message over it."""
        width, height = surface.get_size()
        pen = Pen.for_size(width, height)
        surface.fill(palette.NIGHT)
        low = min(STATUS, height - 1)
        draw(surface.subsurface((0, 0, width, height - low)), self.translation, self.number)
        draw_status(
            surface.subsurface((0, height - low, width, low)), status, pen, self.is_bright(status)
        )
        if message:
            draw_message(surface, message, pen)

    def words(self) -> str:
        """Which step it is."""
        return f"step {self.number + 1} of {self.last + 1}"

    def help_words(self) -> tuple[str, ...]:
        """What every key does."""
        return HELP

    @property
    def stem(self) -> str:
        """A file name for the present step."""
        return f"translate-step-{self.number + 1}"
