"""The keys of a viewer's window, and the words that explain them."""

from enum import Enum, auto

import pygame

from sidestep.scripts.viewer.panels.registry import KEYS as PANEL_LETTERS
from sidestep.scripts.viewer.panels.registry import PANELS


class Command(Enum):
    """What a key asks for."""

    PAUSE = auto()
    STEP = auto()
    BACK = auto()
    FASTER = auto()
    SLOWER = auto()
    NEXT = auto()
    AGAIN = auto()
    SEED = auto()
    FRAME = auto()
    RECORD = auto()
    ALL_PANELS = auto()
    LANES = auto()
    HELP = auto()
    LEAVE = auto()
    QUIT = auto()


KEYS = {
    pygame.K_SPACE: Command.PAUSE,
    pygame.K_RIGHT: Command.STEP,
    pygame.K_LEFT: Command.BACK,
    pygame.K_UP: Command.FASTER,
    pygame.K_PLUS: Command.FASTER,
    pygame.K_EQUALS: Command.FASTER,
    pygame.K_KP_PLUS: Command.FASTER,
    pygame.K_DOWN: Command.SLOWER,
    pygame.K_MINUS: Command.SLOWER,
    pygame.K_KP_MINUS: Command.SLOWER,
    pygame.K_n: Command.NEXT,
    pygame.K_a: Command.AGAIN,
    pygame.K_s: Command.SEED,
    pygame.K_f: Command.FRAME,
    pygame.K_r: Command.RECORD,
    pygame.K_0: Command.ALL_PANELS,
    pygame.K_KP_0: Command.ALL_PANELS,
    pygame.K_TAB: Command.LANES,
    pygame.K_h: Command.HELP,
    pygame.K_F1: Command.HELP,
    pygame.K_ESCAPE: Command.LEAVE,
    pygame.K_q: Command.QUIT,
}
PANEL_KEYS = {
    **{getattr(pygame, f"K_{key}"): key for key in PANEL_LETTERS},
    **{getattr(pygame, f"K_KP_{digit}"): str(digit) for digit in range(1, 10)},
}
"""Keys that may switch a panel, by what `Panel.key` calls them."""
DIGITS = {
    key: digit
    for digit in range(10)
    for key in (getattr(pygame, f"K_{digit}"), getattr(pygame, f"K_KP_{digit}"))
}
"""Of which seeds are typed."""
ENTER = (pygame.K_RETURN, pygame.K_KP_ENTER)
MOST_DIGITS = 9
"""Of a typed seed."""

_HELP = (
    "Keys",
    "space\tpause and go on",
    "right, left arrow\tone tick forward, one back",
    "up, down, + or -\tspeed",
    "N, A\tnext episode, this one again",
    "S\ttype a seed, Enter plays it",
    "F, R\tsave this picture, record on and off",
    "Tab or a click\tall lanes, one lane",
)


def help_words() -> tuple[str, ...]:
    """What every key does, a line each; a tab parts key and words."""
    panels = (f"{panel.key.upper()}\t{panel.title}" for panel in PANELS)
    return (*_HELP, *panels, "0\tall panels on or off", "H, Q\tthis help, quit")


def panel_of(key: int) -> str | None:
    """The panel that a key switches; None: there is none."""
    wanted = PANEL_KEYS.get(key)
    return next((panel.name for panel in PANELS if panel.key == wanted), None)


def command_of(event: pygame.Event) -> Command | None:
    """What a window's event asks for; None for nothing."""
    if event.type in (pygame.QUIT, pygame.WINDOWCLOSE):
        return Command.QUIT
    return KEYS.get(event.key) if event.type == pygame.KEYDOWN else None


def typed(text: str, key: int) -> tuple[str | None, int | None]:
    """A key while a seed is typed.

    Returns:
        What is typed so far, None once that is over; and the seed, if it was entered.
    """
    if key in DIGITS and len(text) < MOST_DIGITS:
        return text + str(DIGITS[key]), None
    if key == pygame.K_BACKSPACE:
        return text[:-1], None
    if key in ENTER:
        return None, int(text) if text else None
    leaves = KEYS.get(key) in (Command.LEAVE, Command.SEED)
    return None if leaves else text, None
