"""A panel from outside has a key, a place and a name as the shipped ones have."""

from pathlib import Path
from typing import Any

import numpy as np
import pygame
import pytest

from sidestep.scripts import record, watch
from sidestep.scripts.viewer.keys import KEYS as COMMANDS
from sidestep.scripts.viewer.keys import help_words
from sidestep.scripts.viewer.panels import Panel, register_panel
from sidestep.scripts.viewer.panels.registry import KEYS, PANELS, names
from sidestep.scripts.viewer.screen import Screen
from sidestep.scripts.viewer.session import Session

from ..scripts.viewer.corridor import Right, press, world
from .commands import succeeds


def screen(panels: Any, lanes: int = 1) -> Screen:
    sessions = [Session(world(), Right(), seed=k, stride=lanes) for k in range(lanes)]
    return Screen(sessions, panels=panels)


def share(picture: Any, colour: tuple[int, int, int]) -> float:
    return float((picture == np.array(colour)).all(-1).mean())


def test_it_is_drawn_from_the_moment(pieces: Any) -> None:
    """In a corridor of four cells the way to the goal begins at three of three, and shrinks."""
    show = screen(["distance"])
    before = share(show.picture(), (255, 0, 0))
    show.session.tick()
    after = share(show.picture(), (255, 0, 0))
    assert after == pytest.approx(before * 2 / 3, rel=0.02) and before > 0.05
    assert share(screen([]).picture(), (255, 0, 0)) == 0


def test_more_than_nine_have_keys(pieces: Any) -> None:
    assert [panel.key for panel in PANELS] == [*"123456789", "b", "m"]
    show = screen([])
    press(show, pygame.K_b)
    assert show.panels == {"distance"} and "way to the goal: on" in show.status()
    press(show, pygame.K_m, pygame.K_b)
    assert show.panels == {"mark"} and "way to the goal: off" in show.status()
    press(show, pygame.K_0)
    assert show.panels == set(names()) and len(show.panels) == 11
    assert {"B\tway to the goal", "M\tthe goal"} < set(help_words())


def test_no_key_of_a_panel_is_a_command(pieces: Any) -> None:
    letters = {chr(key) for key in COMMANDS if 32 < key < 127}
    assert not letters & set(KEYS) and len(KEYS) == len(set(KEYS)) == 28


def test_letters_belong_to_a_seed_that_is_typed(pieces: Any) -> None:
    show = screen([])
    press(show, pygame.K_s, pygame.K_b, pygame.K_4)
    assert (show.typed, show.panels) == ("4", set())


def test_over_the_cells_of_one_lane_and_of_many(pieces: Any) -> None:
    green = (1, 254, 3)
    assert share(screen(["mark"]).picture(), green) > 0.01
    assert share(screen(["mark"], lanes=4).picture(), green) > 0.01
    assert share(screen(["distance"], lanes=4).picture(), (255, 0, 0)) == 0


def test_it_is_given_what_it_asks_for(tables: None) -> None:
    """Exact values are solved for, and every cell's worth is looked up, on demand alone."""
    seen: list[Any] = []

    def look(surface: Any, moment: Any, pen: Any) -> None:
        seen.append((moment.insights, moment.regrets, moment.cells))

    asked = Panel("asked", "asked", lambda moment: True, weight=1, draw=look, ticks=3)
    register_panel(asked)
    show = screen(["asked"])
    show.picture()
    assert seen == [((), (), None)]  # a player without a mind has no insights


def test_a_panel_may_show_ghosts(tables: None) -> None:
    """Its row says so: under a name of its own it shows them as the shipped panel does."""
    register_panel(Panel("hidden", "what is hidden", yes, ghosts=True))

    def picture(*panels: str) -> Any:
        far = "S....\n....>\n....G"
        env = world(level=far, observation="window", radius=1, random_starts=False)
        session = Session(env, Right(), seed=0)
        assert session.moment(panels).sight.ghosts == bool(panels)
        return Screen([session], panels=panels).picture()

    assert np.array_equal(picture("hidden"), picture("ghosts"))
    assert not np.array_equal(picture("hidden"), picture())


def test_the_commands_know_it(
    as_fresh: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = str(tmp_path / "x.png")
    words = ["--optimum", "--out", out, "--panels", "distance"]
    with pytest.raises(SystemExit):
        as_fresh(record.main, words)
    assert "panels: expected some of values, heatmap" in capsys.readouterr().err
    for command in (record.main, watch.main):
        with pytest.raises(SystemExit):
            as_fresh(command, ["--modules", "pieces", "--help"])
        printed = " ".join(capsys.readouterr().out.split())
        assert "curve,distance,mark} ...]" in printed
    assert "curve 9, distance B, mark M." in printed
    as_fresh(record.main, [*words, "--env", "pieces:sidestep/MovingObstacles-v0",
                           "--modules", "pieces"])  # fmt: skip
    assert Path(out).stat().st_size > 3000


def yes(moment: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("panel", "error", "words"),
    [
        (("mine", "mine"), TypeError, "expected a row, Panel, got tuple"),
        (Panel("two words", "x", yes, over=yes), ValueError, "expected an identifier"),
        (Panel("trail", "x", yes, over=yes), ValueError, "is free, got 'trail', which is taken"),
        (Panel("mine", " ", yes, over=yes), ValueError, "expected a title in words, got ' '"),
        (Panel("mine", "x", None, over=yes), TypeError, "expected applies to be callable, got No"),
        (Panel("mine", "x", yes, over=3), TypeError, "expected over to be callable, got 3"),
        (Panel("mine", "x", yes), ValueError, "expected draw, under or over, got none of them"),
        (Panel("mine", "x", yes, draw=yes), ValueError, "a weight above 0 beside draw, and 0 wi"),
        (Panel("mine", "x", yes, 1, over=yes), ValueError, "above 0 beside draw, and 0 without, "),
        (Panel("mine", "x", yes, -1, draw=yes), ValueError, "expected a weight above 0, got -1"),
        (Panel("mine", "x", yes, over=yes, ticks=99), ValueError, "ticks from 0 to 24, got 99"),
        (Panel("mine", "x", yes, over=yes, key="n"), ValueError, "expected a free key .b, c, d, e"),
        (Panel("mine", "x", yes, over=yes, key="1"), ValueError, "free key .* got '1'"),
    ],
)
def test_bad_rows_are_refused(tables: None, panel: Any, error: type[Exception], words: str) -> None:
    before = list(PANELS)
    with pytest.raises(error, match=words):
        register_panel(panel)
    assert before == PANELS


def test_the_same_row_again_is_no_error(pieces: Any) -> None:
    before = list(PANELS)
    register_panel(pieces.DISTANCE)
    register_panel(pieces.MARK)
    assert before == PANELS
    with pytest.raises(ValueError, match="got 'mark', which is taken"):
        register_panel(pieces.MARK._replace(title="another"))


def test_there_is_an_end_of_keys(tables: None) -> None:
    for number in range(len(KEYS) - len(PANELS)):
        register_panel(Panel(f"number_{number}", "one", yes, over=yes))
    assert [panel.key for panel in PANELS] == list(KEYS)
    with pytest.raises(ValueError, match="expected a free key, all 28 are taken"):
        register_panel(Panel("mine", "x", yes, over=yes))


@pytest.mark.slow
def test_in_a_fresh_process(tmp_path: Path) -> None:
    succeeds(tmp_path, "record", "--optimum", "--out", "run.png", "--panels", "distance", "--env",
             "pieces:sidestep/MovingObstacles-v0", "--modules", "pieces")  # fmt: skip
    assert (tmp_path / "run.png").stat().st_size > 3000
