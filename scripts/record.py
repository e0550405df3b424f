"""`sidestep record`: what `sidestep watch` shows, as a GIF, a film or a picture."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from sidestep.agents.acting.infos import read_flag
from sidestep.scripts.shared.console import command, progress, say
from sidestep.scripts.viewer.env_pictures import off_screen
from sidestep.scripts.viewer.panels.registry import names
from sidestep.scripts.viewer.players import Flags, Players
from sidestep.scripts.viewer.recording import MOST_FRAMES, Shot, check_target, write_film
from sidestep.scripts.viewer.screen import Screen
from sidestep.scripts.viewer.session import Session
from sidestep.sequence.limits import COUNT, check_fields

EXAMPLES = """\
  sidestep record runs/gru --out gru.gif
  sidestep record runs/gru --out faults.mp4 --pick worst --episodes 3 --panels values regret
  sidestep record runs/crossing --env-kwargs split=test --out test.gif
  sidestep record runs/gru --out glance.png --seed 7 --tick 6 --size 1600x1120
  sidestep record runs/lstm --set f=0 --panels units gates --out forgets.gif
  sidestep record --optimum --env sidestep/Crossing-v0 --out optimum.gif"""

LEAST_FPS, MOST_FPS = 0.1, (120, 50)
"""Frames a second of a film, and of a GIF: players show no more."""

Pick = Literal["first", "best", "worst", "first-failure"]


@dataclass(frozen=True)
class Options(Flags):
    """Record an agent's episodes, off screen."""

    out: Path = field(kw_only=True)
    """The file to write: .gif, .mp4 (with the extra video) or .png."""
    pick: Pick = "first"
    """Which episodes: the first seeds, the best or worst returns among --among seeds, or the first
    failure among them. Of a replay: all, or these."""
    episodes: int = 1
    """How many; of a first failure and of a replay's first there is no choice."""
    seed: int | None = 0
    """Of the first episode; the following ones count up from it."""
    among: int = 100
    """Seeds that are played to find the best, the worst or a failure."""
    tick: int | None = None
    """Of a PNG: the tick that it shows; the episode's last if left out."""
    lanes: int = 1
    """Worlds side by side, up to 64; without panels."""
    size: str = "800x560"
    """Width x height in pixels."""
    fps: float = 5.0
    """Ticks a second."""

    def __post_init__(self) -> None:
        """Check every field."""
        most = MOST_FPS[self.out.suffix == ".gif"]
        if not LEAST_FPS <= self.fps <= most:
            raise ValueError(f"fps: expected {LEAST_FPS} to {most}, got {self.fps}")
        check_fields(self, {"episodes": COUNT, "among": COUNT})
        super().__post_init__()
        if self.tick is not None and (self.tick < 0 or self.out.suffix != ".png"):
            raise ValueError(f"tick: expected 0 or more, for a .png, got {self.tick}, {self.out}")
        if self.out.suffix == ".png" and self.lanes == 1 and self.episodes > 1:
            raise ValueError(f"episodes: expected 1 for a .png, got {self.episodes}")
        if self.pick in ("best", "worst") and self.episodes > self.among:
            raise ValueError(
                f"episodes: expected at most --among, {self.among}, got {self.episodes}"
            )
        if self.lanes > 1 and self.pick != "first":
            raise ValueError(f"pick: expected first with several lanes, got {self.pick}")
        self.pixels()

    def pixels(self) -> tuple[int, int]:
        """`size` as numbers.

        Raises:
            ValueError: no such size.
        """
        parts = self.size.split("x")
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):
            raise ValueError(f"size: expected WIDTHxHEIGHT, got {self.size!r}")
        width, height = int(parts[0]), int(parts[1])
        if not (160 <= width <= 4096 and 120 <= height <= 4096):
            raise ValueError(f"size: expected 160x120 to 4096x4096, got {self.size}")
        return width, height


def examples() -> str:
    """The end of `--help`."""
    return f"{EXAMPLES}\n\nPanels: {', '.join(names())}; `--panels` alone: none."


@off_screen()
def record(options: Options) -> None:
    """Play, draw and write."""
    torch.set_num_threads(1)
    check_target(options.out)
    players = Players.of(options)
    try:
        sessions = players.sessions(options.lanes, options.seed, knows(options))
        if options.lanes > 1:
            count = write_film(options.out, side_by_side(sessions, options), options.fps)
            words = f"{options.lanes} lanes"
        else:
            seeds = pick(sessions[0], options, players.seeds)
            shots = shots_of(sessions[0], seeds, options)
            count = write_film(options.out, shots, options.fps)
            words = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    finally:
        players.close()
    size = options.out.stat().st_size / 1e6
    frames = f"{count} frame{'s' * (count > 1)}"
    if count == MOST_FRAMES:
        frames += " (a GIF takes no more)"
    forced = f", forced {players.forcing}" if players.forcing else ""
    say(f"{options.out}: {frames} of {words}{players.place}{forced}, {size:.2f} MB")


def knows(options: Options) -> bool:
    """Whether a panel asks what the solver knows."""
    return options.lanes == 1 and bool({"regret", "values"} & set(options.panels))


def pick(session: Session, options: Options, known: tuple[int, ...] = ()) -> list[int]:
    """The seeds of the episodes to record.

    Args:
        session: plays them.
        options: say which.
        known: the only ones there are; none: any.

    Raises:
        ValueError: no failure among them.
    """
    first = session.seed
    seeds = known or range(first, first + options.among)
    if options.pick == "first":
        return list(known or range(first, first + options.episodes))
    if options.pick == "first-failure":
        found = first_failure(session, _searched(seeds, options.pick))
        if found is None:
            raise ValueError(
                f"pick: expected a failure, every episode from seed {first} on succeeded; "
                f"try more than --among {options.among}"
            )
        return [found]
    returns = {seed: play(session, seed) for seed in _searched(seeds, options.pick)}
    sign = -1 if options.pick == "best" else 1
    return sorted(returns, key=lambda seed: sign * returns[seed])[: options.episodes]


def _searched(seeds: Sequence[int], words: str) -> Iterator[int]:
    """Seeds, with a progress bar."""
    with progress() as bar:
        yield from bar.track(seeds, description=words)


def play(session: Session, seed: int) -> float:
    """The return of an episode."""
    session.begin(seed)
    while not session.tally.over:
        session.tick()
    return session.tally.total


def first_failure(session: Session, seeds: Iterable[int]) -> int | None:
    """The first seed whose episode does not reach the goal; None: all do.

    An env may tell nothing but successes: episodes of which nothing is told fail if it tells of
    any other.

    Raises:
        ValueError: an env that never tells.
    """
    found, tells = None, False
    for seed in seeds:
        play(session, seed)
        success = read_flag(session.info, "is_success")
        tells = tells or success is not None
        if found is None and not success:
            found = seed
        if found is not None and tells:
            return found
    if not tells:
        raise ValueError("pick: expected an env that tells is_success for first-failure")
    return None


def shots_of(session: Session, seeds: list[int], options: Options) -> Iterator[Shot]:
    """Every tick of the episodes, one after the other; of a PNG the one that is asked for."""
    screen = Screen([session], panels=options.shown())
    for seed in seeds:
        session.begin(seed)
        while True:
            over = session.tally.over
            wanted = options.tick is None or session.now.tick == options.tick
            if wanted and (over or options.out.suffix != ".png" or options.tick is not None):
                yield Shot(screen.picture(options.pixels()), hold=over)
            if over or (wanted and options.tick is not None):
                break
            session.tick()
        if options.tick is not None and not wanted:
            raise ValueError(f"tick: expected at most {session.now.tick}, got {options.tick}")


def side_by_side(sessions: list[Session], options: Options) -> Iterator[Shot]:
    """All lanes together until as many episodes as are asked for are over in each.

    Of a PNG the last tick, or the one that is asked for.
    """
    screen = Screen(sessions, speed=options.fps, panels=options.shown())
    for number in itertools.count():
        over = min(session.tally.episodes for session in sessions) >= options.episodes
        ends = over if options.tick is None else number == options.tick
        if ends or options.out.suffix != ".png":
            yield Shot(screen.picture(options.pixels()))
        if ends:
            return
        if over:
            raise ValueError(f"tick: expected at most {number}, got {options.tick}")
        screen.tick()


main = command("record", Options, record, examples)

if __name__ == "__main__":
    main()
