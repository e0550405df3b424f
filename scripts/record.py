"""`sidestep record`: what `sidestep watch` shows, as a page, a GIF, a film or a picture."""

import itertools
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Literal

import torch

from sidestep.agents.acting.infos import read_flag
from sidestep.scripts.shared.console import command, progress, say, warn
from sidestep.scripts.shared.examples import FLAG, FOLDER
from sidestep.scripts.viewer.env_pictures import off_screen
from sidestep.scripts.viewer.facts import facts_of, shows_probabilities
from sidestep.scripts.viewer.page import ADVICE, LARGEST, page_of
from sidestep.scripts.viewer.panels.registry import names
from sidestep.scripts.viewer.players import Flags, Players
from sidestep.scripts.viewer.recording import MOST_FRAMES, Shot, check_target, write_film
from sidestep.scripts.viewer.screen import Screen
from sidestep.scripts.viewer.session import Session
from sidestep.sequence.limits import COUNT, check_fields

EXAMPLES = """\
  sidestep record runs/gru --out gru.gif
  sidestep record runs/gru --out gru.html
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
    """The file to write: .html (a page with a player), .gif, .mp4 (by the extra video) or .png."""
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
    """Ticks a second; of a page at first."""

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
            shots, words = side_by_side(sessions, options), f"{options.lanes} lanes"
        else:
            seeds = pick(sessions[0], options, players.seeds)
            shots = shots_of(sessions[0], seeds, options)
            words = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
        if options.out.suffix == ".html":
            count = write_page(shots, sessions[0], options, f"{players.title}, {words}")
        else:
            count = write_film(options.out, shots, options.fps)
    finally:
        players.close()
    size = options.out.stat().st_size
    frames = f"{count} frame{'s' * (count > 1)}"
    if count == MOST_FRAMES:
        frames += f" (a {options.out.suffix[1:].upper()} takes no more)"
    forced = f", forced {players.forcing}" if players.forcing else ""
    say(f"{options.out}: {frames} of {words}{players.place}{forced}, {size / 1e6:.2f} MB")
    if options.out.suffix == ".html" and size > LARGEST:
        warn(f"out: expected a page of at most {LARGEST / 1e6:g} MB to open at once; {ADVICE}")


def write_page(shots: Iterable[Shot], session: Session, options: Options, title: str) -> int:
    """Write a page with a player; returns how many pictures are in it.

    Args:
        shots: with the facts of each lane.
        session: one of those that are shown; its actions have the names of all.
        options: say where to, and how it was made.
        title: of the page.

    Raises:
        ValueError: more than a page takes.
    """
    probabilities = shows_probabilities(session)
    made = typed(options)
    page = page_of(shots, options.fps, title, made, session.actions, probabilities)
    page.write(options.out)
    return page.frames


def typed(options: Options) -> str:
    """The command with these options; of folders only their last names, as others will read it."""
    words = ["sidestep", "record"]
    if options.run is not None:
        words += [FLAG] * (options.run.parent == FOLDER) + [options.run.name]
    for flag in fields(options):
        value = getattr(options, flag.name)
        default = flag.default if flag.default_factory is MISSING else flag.default_factory()
        if flag.name == "run" or value == default:
            continue
        words.append(f"--{'set' if flag.name == 'forced' else flag.name.replace('_', '-')}")
        if isinstance(value, tuple):
            words += value
        elif value is not True:
            words.append(value.name if isinstance(value, Path) else str(value))
    return shlex.join(words)


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
    score = session.tally.get_state()  # the search is not shown, nor counted
    try:
        return _found(session, options, seeds)
    finally:
        session.tally.set_state(score)


def _found(session: Session, options: Options, seeds: Sequence[int]) -> list[int]:
    """The seeds that a search finds."""
    if options.pick == "first-failure":
        found = first_failure(session, _searched(seeds, options.pick))
        if found is None:
            first = seeds[0]
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
                picture = screen.picture(options.pixels())  # exact values are known by then
                facts = (facts_of(session),) if options.out.suffix == ".html" else ()
                yield Shot(picture, over, facts)
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
            told = sessions if options.out.suffix == ".html" else []
            facts = tuple(facts_of(session) for session in told)
            yield Shot(screen.picture(options.pixels()), facts=facts)
        if ends:
            return
        if over:
            raise ValueError(f"tick: expected at most {number}, got {options.tick}")
        screen.tick()


main = command("record", Options, record, examples)

if __name__ == "__main__":
    main()
