"""The player in a headless Chromium: what is drawn is what was recorded, however one gets there."""

import base64
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sidestep.scripts import record
from sidestep.scripts.shared.examples import example
from sidestep.scripts.viewer.panels.moment import Pixels
from sidestep.scripts.viewer.players import Players
from sidestep.scripts.viewer.recording import Shot

from ...browser import Page, browser, executable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(executable() is None, reason="no Chromium is installed"),
]
FLAGS = {"run": example("glimpse-gru"), "size": "323x241", "episodes": 2, "seed": 7, "fps": 60}
DRAWN = """(() => {
  const bytes = context.getImageData(0, 0, canvas.width, canvas.height).data;
  let text = "";
  for (let k = 0; k < bytes.length; k += 32768)
    text += String.fromCharCode(...bytes.subarray(k, k + 32768));
  return btoa(text);
})()"""
LABEL = "document.getElementById('play').getAttribute('aria-label')"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Shot]]:
    """A page, and the recorder's own pictures of the same episodes."""
    path = tmp_path_factory.mktemp("page") / "a.html"
    words = [word for name, value in FLAGS.items() for word in (f"--{name}", str(value))]
    record.main([*words[1:], "--out", str(path)])
    players = Players.of(options := record.Options(out=path, **FLAGS))  # type: ignore[arg-type]
    try:
        (session,) = players.sessions(1, 7)
        return path, list(record.shots_of(session, [7, 8], options))
    finally:
        players.close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(chromium: Page, recorded: tuple[Path, list[Shot]]) -> Page:
    """The page, opened anew, with its first picture drawn."""
    chromium.open("about:blank")
    chromium.open(recorded[0].as_uri())
    chromium.until("sheet && now === 0")
    return chromium


def drawn(page: Page) -> Pixels:
    """What is on the canvas."""
    pixels = np.frombuffer(base64.b64decode(page.run(DRAWN)), dtype=np.uint8)
    assert (pixels[3::4] == 255).all()
    return pixels.reshape(241, 323, 4)[..., :3]


def press(page: Page, button: str) -> None:
    page.run(f"document.getElementById('{button}').click()")


def test_every_picture_is_the_recorder_s(page: Page, recorded: tuple[Path, list[Shot]]) -> None:
    shots = recorded[1]
    assert page.run("[canvas.width, canvas.height, frames.length]") == [323, 241, len(shots)]
    order = [*range(len(shots)), *range(len(shots) - 2, -1, -3), 5, 1, len(shots) - 1]
    for number in order:
        page.run(f"slider.value = {number}; slider.dispatchEvent(new Event('input'))")
        np.testing.assert_array_equal(drawn(page), shots[number].picture)
        told, facts = page.run("numbers.innerText").split(), shots[number].facts[0]
        assert told[:6] == ["episode", str(facts["episode"]), "seed", str(facts["seed"]), "tick",
                            str(facts["tick"])]  # fmt: skip
        assert told[told.index("return") + 1] == f"{facts['return']:.4g}"
    assert page.complaints == []
    assert {address.split(":")[0] for address in page.requests} == {"file", "data"}
    assert len(page.requests) == 2  # the page, and its own sheet of tiles


def test_buttons(page: Page, recorded: tuple[Path, list[Shot]]) -> None:
    shots = recorded[1]
    last = len(shots) - 1
    for button, number in (("step", 1), ("step", 2), ("back", 1), ("last", last), ("step", last),
                           ("back", last - 1), ("first", 0), ("back", 0)):  # fmt: skip
        press(page, button)
        assert page.run("now") == number
        np.testing.assert_array_equal(drawn(page), shots[number].picture)
    assert page.run("[...document.querySelectorAll('button')].map((b) => b.disabled)") == [
        *(True, True, False, False, False),
    ]
    names = page.run("[...document.querySelectorAll('button, input, select')].map((e) => "
                     "e.getAttribute('aria-label'))")  # fmt: skip
    assert names == ["First tick", "One tick back", "Play", "One tick forward", "Last tick",
                     "Picture", "Ticks a second"]  # fmt: skip
    assert page.complaints == []


def test_playing_goes_to_the_end_and_begins_again(
    page: Page, recorded: tuple[Path, list[Shot]]
) -> None:
    shots = recorded[1]
    assert page.run(LABEL) == "Play" and page.run("speed.value") == "60"
    page.run("speed.selectedIndex = 0")  # a second or two a tick: no tick is missed
    press(page, "play")
    assert page.run(LABEL) == "Pause" and page.run("now") == 0
    page.run("speed.value = '60'")
    page.until(f"now === {len(shots) - 1}")
    assert page.run(LABEL) == "Play"
    np.testing.assert_array_equal(drawn(page), shots[-1].picture)
    page.run("speed.selectedIndex = 0")
    press(page, "play")
    page.until("now === 1")
    press(page, "play")
    assert page.run("timer") is None and page.run("now") < len(shots) - 1
    assert page.complaints == []


def test_keys(page: Page, recorded: tuple[Path, list[Shot]]) -> None:
    last = len(recorded[1]) - 1
    second = [shot.hold for shot in recorded[1]].index(True) + 1
    for key, code, number in (("ArrowRight", 39, 1), ("ArrowRight", 39, 2), ("ArrowLeft", 37, 1),
                              ("n", 78, second), ("ArrowRight", 39, second + 1), ("a", 65, second),
                              ("End", 35, last), ("Home", 36, 0)):  # fmt: skip
        page.press(key, code)
        assert page.run("now") == number, key
    page.press("-", 189)
    assert page.run("speed.value") == "30"
    page.run("speed.selectedIndex = 0")
    page.press(" ", 32)
    page.until("now === 1")
    page.press(" ", 32)
    assert page.run("timer") is None
    page.run("document.getElementById('last').focus()")
    page.press("ArrowLeft", 37)  # a button takes no arrows
    page.press(" ", 32)  # it is pressed by the browser, and nothing plays
    assert page.run("timer") is None


def test_a_tick_by_its_address_in_light_and_dark(
    chromium: Page, recorded: tuple[Path, list[Shot]]
) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        for width in (1280, 380):
            chromium.show(width, 800, scheme)
            chromium.open("about:blank")
            chromium.open(f"{recorded[0].as_uri()}#4")
            chromium.until("sheet && now === 4")
            np.testing.assert_array_equal(drawn(chromium), recorded[1][4].picture)
            assert chromium.run("document.documentElement.scrollWidth") <= width
        seen[scheme] = chromium.run(colour)
    assert seen == {"light": "rgb(255, 255, 255)", "dark": "rgb(17, 22, 40)"}
