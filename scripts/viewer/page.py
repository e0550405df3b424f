"""Pictures to one HTML page with a player in it: exact to the pixel, and nothing is loaded.

Most of a picture is that of the tick before. So pictures are cut into tiles; each tile is kept
once, in a sheet (lossless WebP), and each tick says which tiles change. The page
(`scripts/data/player.html`) puts them together again on a canvas.
"""

import base64
import html
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sidestep.scripts.viewer.facts import Facts, facts_of, shows_probabilities
from sidestep.scripts.viewer.players import Flags, Players
from sidestep.scripts.viewer.recording import MOST_FRAMES, Pixels, Shot, write_film
from sidestep.scripts.viewer.replay import Replay
from sidestep.scripts.viewer.replay_session import ReplaySession
from sidestep.scripts.viewer.screen import Screen
from sidestep.scripts.viewer.session import Session
from sidestep.scripts.viewer.view import DEFAULT_SIZE
from sidestep.sequence.fitting.checkpoint import write_atomically

HIGH, WIDE = 16, 8
"""Pixels of a tile: of all sizes that were tried the one with the smallest pages."""
COLUMNS = 128
"""Tiles side by side in a sheet."""
MOST_TILES = 1000 * COLUMNS
"""Of a page: 16 million pixels, as many as browsers of telephones take."""
LARGEST = 1_000_000
"""Bytes of a page that opens at once; larger ones are told of."""
AROUND = (40, 400)
"""Pixels that the page needs beside the picture and below it."""
ADVICE = "a smaller --size, fewer --episodes, or --panels with fewer of them make it smaller"


class Sheet:
    """The tiles of a film, each kept once, and which of them change from picture to picture."""

    def __init__(self) -> None:
        """No picture yet."""
        self.shape: tuple[int, ...] = ()
        """Of the pictures, (H, W, 3)."""
        self._known: dict[bytes, int] = {}
        self._before: NDArray[np.uint8] | None = None
        self._steps: list[NDArray[np.uint32]] = []

    def __len__(self) -> int:
        """How many pictures there are."""
        return len(self._steps)

    def add(self, picture: Pixels) -> None:
        """Take a picture, (H, W, 3).

        Raises:
            ValueError: one of another size than the first, or more tiles than a page takes.
        """
        self.shape = self.shape or picture.shape
        if picture.shape != self.shape:
            raise ValueError(f"frames: expected one shape, got {self.shape}, {picture.shape}")
        tiles = _cut(picture)
        if self._before is None:
            changed = np.arange(len(tiles))
        else:
            changed = np.flatnonzero((tiles != self._before).any(axis=1))
        step = np.zeros(len(tiles), dtype=np.uint32)  # 0: as before, 1: the next new, k + 2: tile k
        for place in changed.tolist():
            tile, new = tiles[place].tobytes(), len(self._known)
            number = self._known.setdefault(tile, new)
            step[place] = 1 if number == new else number + 2
        if len(self._known) > MOST_TILES:
            raise ValueError(f"out: expected fewer different pictures on a page; {ADVICE}")
        self._before = tiles
        self._steps.append(step)

    def image(self) -> bytes:
        """The tiles in rows of `COLUMNS`, in the order in which they came, as lossless WebP."""
        rows = -(-len(self._known) // COLUMNS)
        tiles = np.zeros((rows * COLUMNS, HIGH * WIDE * 3), dtype=np.uint8)
        tiles[: len(self._known)] = np.frombuffer(
            b"".join(self._known), dtype=np.uint8
        ).reshape(-1, HIGH * WIDE * 3)  # fmt: skip
        grid = tiles.reshape(rows, COLUMNS, HIGH, WIDE, 3).swapaxes(1, 2)
        sheet = grid.reshape(rows * HIGH, COLUMNS * WIDE, 3)
        buffer = io.BytesIO()
        Image.fromarray(sheet).save(buffer, "WEBP", lossless=True, quality=90, method=5)
        return buffer.getvalue()

    def steps(self) -> bytes:
        """The changes of all pictures, four planes of bytes, the lowest first, deflated."""
        numbers = np.stack(self._steps)  # (N, tiles)
        planes = [((numbers >> shift) & 255).astype(np.uint8) for shift in (0, 8, 16, 24)]
        return zlib.compress(b"".join(plane.tobytes() for plane in planes), 9)


def _cut(picture: Pixels) -> NDArray[np.uint8]:
    """A picture's tiles row by row, (tiles, HIGH * WIDE * 3); what is beyond its edge is black."""
    height, width, _ = picture.shape
    rows, columns = -(-height // HIGH), -(-width // WIDE)
    whole = np.zeros((rows * HIGH, columns * WIDE, 3), dtype=np.uint8)
    whole[:height, :width] = picture
    tiles = whole.reshape(rows, HIGH, columns, WIDE, 3).swapaxes(1, 2)
    return np.ascontiguousarray(tiles).reshape(rows * columns, -1)


@dataclass(frozen=True)
class Page:
    """A page with a player; a notebook shows it where it is the last word of a cell.

    Args:
        text: the HTML.
        frames: how many pictures it has.
        size: (width, height) of them.
        title: of the page.
    """

    text: str
    frames: int
    size: tuple[int, int]
    title: str

    def __repr__(self) -> str:
        """Say what it is, and not all its bytes."""
        return f"Page({self.title!r}, {self.frames} frames, {self.nbytes / 1e6:.2f} MB)"

    @property
    def nbytes(self) -> int:
        """Of the file."""
        return len(self.text.encode())

    def write(self, path: Path) -> None:
        """Write the file, completely or not at all.

        Raises:
            OSError: a full or read-only disk.
        """
        write_atomically(path, self.text.encode())

    def _repr_html_(self) -> str:
        """A frame of the page's own, which shares nothing with the notebook around it."""
        width, height = (side + more for side, more in zip(self.size, AROUND, strict=True))
        return (
            f'<iframe title="{html.escape(self.title)}" sandbox="allow-scripts" '
            f'style="width: 100%; max-width: {width}px; height: {height}px; border: 0" '
            f'srcdoc="{html.escape(self.text)}"></iframe>'
        )


def page_of(
    shots: Iterable[Shot],
    fps: float,
    title: str,
    made: str = "",
    actions: Sequence[str] = (),
    probabilities: bool = False,
) -> Page:
    """Make a page of a film.

    Args:
        shots: of one size; `MOST_FRAMES` are taken, and their facts are shown beside them.
        fps: ticks a second at first.
        title: of the page, in words.
        made: the command that made it; empty: none.
        actions: names of the A actions of which the facts tell.
        probabilities: whether the facts' scores are probabilities.

    Raises:
        ValueError: no pictures, pictures of several sizes, or more of them than a page takes.
    """
    sheet, facts, holds = Sheet(), list[tuple[Facts, ...]](), list[bool]()
    for shot in shots:
        sheet.add(shot.picture)
        facts.append(shot.facts)
        holds.append(shot.hold)
        if len(sheet) == MOST_FRAMES:
            break
    if not len(sheet):
        raise ValueError("frames: expected at least one, got none")
    height, width, _ = sheet.shape
    data = {
        "width": width,
        "height": height,
        "tile": [WIDE, HIGH],
        "columns": COLUMNS,
        "fps": fps,
        "actions": list(actions),
        "score": "probability" if probabilities else "value",
        "holds": [number for number, hold in enumerate(holds) if hold],
        "facts": facts,
        "steps": base64.b64encode(sheet.steps()).decode(),
        "image": "data:image/webp;base64," + base64.b64encode(sheet.image()).decode(),
    }
    return Page(_filled(data, title, made), len(sheet), (width, height), title)


def _filled(data: dict[str, Any], title: str, made: str) -> str:
    """The page's text: the template with what it is to show."""
    template = files("sidestep.scripts").joinpath("data/player.html").read_text(encoding="utf-8")
    words = f"Made by <code>{html.escape(made)}</code>" if made else "Made by sidestep"
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    text = text.replace("<", "\\u003c")  # or a name could end the script
    before, after = template.split("{{data}}")  # what is shown may hold braces too
    before = before.replace("{{made}}", words).replace("{{title}}", html.escape(title))
    return before + text + after


def write_shots(path: Path, shots: Iterable[Shot], fps: float, title: str, made: str = "") -> int:
    """Write a film by its suffix: to .html a page with a player, else what `write_film` writes.

    Args:
        path: ends in one of `SUFFIXES`.
        shots: of one size.
        fps: pictures a second.
        title: of a page, in words.
        made: the command that made it; empty: none.

    Returns:
        How many pictures are in it.

    Raises:
        ValueError, OSError: as of `page_of` and `write_film`.
    """
    if path.suffix != ".html":
        return write_film(path, shots, fps)
    page = page_of(shots, fps, title, made)
    page.write(path)
    return page.frames


def episode_page(
    session: Session,
    panels: Sequence[str] | None = None,
    size: tuple[int, int] = DEFAULT_SIZE,
    fps: float = 5.0,
    title: str = "",
) -> Page:
    """Make a page of a session's present episode, played from its beginning to its end.

    Args:
        session: what is played; it stands at the episode's end afterwards.
        panels: names of those that are shown; None: those that are on at first.
        size: (width, height) of the pictures.
        fps: ticks a second at first.
        title: of the page; empty: the world and the seed.

    Raises:
        ValueError: an unknown panel, or more pictures than a page takes.
    """
    screen, name = Screen([session], panels=panels), session.env.spec
    session.begin(session.seed)
    probabilities = shows_probabilities(session)

    def shots() -> Iterable[Shot]:
        while True:
            over = session.tally.over
            yield Shot(screen.picture(size), over, (facts_of(session),))
            if over:
                return
            session.tick()

    title = title or f"{'An episode' if name is None else name.id}, seed {session.seed}"
    return page_of(shots(), fps, title, "", session.actions, probabilities)


def run_page(
    run: Path,
    seed: int = 0,
    panels: Sequence[str] | None = None,
    size: tuple[int, int] = DEFAULT_SIZE,
    fps: float = 5.0,
) -> Page:
    """Make a page of an episode of a run's agent, or of a replay, as `sidestep record` does.

    Args:
        run: the run's folder, or a replay's file.
        seed: of the episode.
        panels: names of those that are shown; None: those that are on at first.
        size: (width, height) of the pictures.
        fps: ticks a second at first.

    Raises:
        FileNotFoundError, ValueError: no such run, an unknown panel, or more than a page takes.
    """
    flags = Flags(run) if panels is None else Flags(run, panels=tuple(panels))
    players = Players.of(flags)
    try:
        (session,) = players.sessions(1, seed, bool({"regret", "values"} & set(flags.panels)))
        return episode_page(session, panels, size, fps, f"{players.title}, seed {session.seed}")
    finally:
        players.close()


def replay_page(replay: Replay, fps: float = 5.0) -> Page:
    """Make a page of a replay's first episode.

    Args:
        replay: what to play.
        fps: ticks a second at first.
    """
    with closing(replay.make_env("rgb_array")) as env:
        session = ReplaySession(env, replay)
        return episode_page(session, fps=fps, title=f"{replay.player}, seed {session.seed}")
