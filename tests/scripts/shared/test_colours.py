"""Colours of plots and of pictures of the world: told apart by everybody, and in grey."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from sidestep.envs.drawing import palette
from sidestep.scripts.shared import colours
from sidestep.scripts.shared.colours import COLOURS, DASHES, MARKERS, style_of

Array = NDArray[np.float64]

LEAST = 10.0
"""CIEDE2000 between any two colours, for every eye; 2.3 is just seen side by side, and lines that
stand apart need several times that."""
LEAST_IN_GREY = 5.0
"""Lightness L* between any two, of 0 to 100."""
EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""From linear RGB to that which looks alike without one kind of cones: Machado, Oliveira and
Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency", the
tables of severity 1."""
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
     [0.0193339, 0.1191920, 0.9503041]]
)  # fmt: skip
"""Of sRGB, IEC 61966-2-1."""
DRAWN = {
    name: tuple(getattr(palette, name))
    for name in ("ORANGE", "SKY", "GREEN", "YELLOW", "BLUE", "VERMILION", "PURPLE")
}


def rgb_of(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[k : k + 2], 16) for k in (1, 3, 5))


def lab_of(rgb: tuple[int, ...], eye: str) -> Array:
    """CIELAB (3,) of a colour as an eye sees it, under D65."""
    part = np.array(rgb) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(np.array(EYES[eye]) @ linear, 0, 1) / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def ciede2000(one: Array, two: Array) -> float:
    """How far two colours of CIELAB are apart: Sharma, Wu and Dalal (2005), equations 2 to 22."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean**7 / (mean**7 + 25**7))
    c1, c2 = np.hypot(stretch * a1, b1), np.hypot(stretch * a2, b2)
    h1, h2 = (np.arctan2(b, stretch * a) % (2 * np.pi) for a, b in ((a1, b1), (a2, b2)))
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    hue = h1 + h2 if c1 * c2 == 0 else h1 + turn / 2
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    light, c = (l1 + l2) / 2, (c1 + c2) / 2
    waves = ((-0.17, 1, -30), (0.24, 2, 0), (0.32, 3, 6), (-0.20, 4, -63))
    t = 1 + sum(k * np.cos(n * hue + np.radians(shift)) for k, n, shift in waves)
    sl = 1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    around = ((np.degrees(hue) % 360 - 275) / 25) ** 2
    turned = -np.sin(np.pi / 3 * np.exp(-around)) * 2 * np.sqrt(c**7 / (c**7 + 25**7))
    return float(
        np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + turned * dc / sc * dh / sh)
    )


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_measure_by_its_published_pairs(one: Array, two: Array, expected: float) -> None:
    """Sharma, Wu and Dalal (2005), table 1."""
    assert ciede2000(np.array(one, float), np.array(two, float)) == pytest.approx(
        expected, abs=1e-4
    )
    assert ciede2000(np.array(two, float), np.array(one, float)) == pytest.approx(
        expected, abs=1e-4
    )


def test_what_an_eye_sees_by_hand() -> None:
    """Grey stays grey for every eye; red and green of one lightness become alike, blue does not."""
    for eye in EYES:
        light, a, b = lab_of((128, 128, 128), eye)
        assert (light, a, b) == pytest.approx((53.585, 0, 0), abs=0.03)
    red, green, blue = (200, 60, 30), (120, 120, 10), (60, 60, 220)
    near = {eye: ciede2000(lab_of(red, eye), lab_of(green, eye)) for eye in EYES}
    assert near["deuteranopia"] < 12 < 40 < near["all cones"]
    assert ciede2000(lab_of(red, "deuteranopia"), lab_of(blue, "deuteranopia")) > 40


@pytest.mark.parametrize("eye", EYES)
def test_every_eye_tells_all_colours_apart(eye: str) -> None:
    """Of plots, and of the world; on paper and on the night ground alike."""
    for of_one_picture in ([rgb_of(colour) for colour in COLOURS], list(DRAWN.values())):
        for one, two in combinations(of_one_picture, 2):
            assert ciede2000(lab_of(one, eye), lab_of(two, eye)) >= LEAST, (one, two)
    for colour in COLOURS:
        assert ciede2000(lab_of(rgb_of(colour), eye), lab_of((255, 255, 255), eye)) > 15, colour
    for colour in DRAWN.values():
        assert ciede2000(lab_of(colour, eye), lab_of(palette.FLOOR, eye)) > 15, colour


def test_a_plot_can_be_printed_in_grey() -> None:
    lightness = sorted(lab_of(rgb_of(colour), "all cones")[0] for colour in COLOURS)
    assert min(np.diff(lightness)) >= LEAST_IN_GREY
    assert lightness[-1] < 80  # on white


def test_no_series_is_told_by_its_colour_alone() -> None:
    assert len(set(COLOURS)) == len(set(map(str, DASHES))) == len(set(MARKERS)) == 8
    looks = [style_of(number, marked=True) for number in range(8)]
    for name in ("color", "linestyle", "marker"):
        assert len({str(look[name]) for look in looks}) == 8
    assert style_of(8) == style_of(0) and "marker" not in style_of(0)
    assert looks[0]["linestyle"] == "solid"


def test_colours_of_one_name_are_one() -> None:
    """Plots take those of the world that are also told apart on white and in grey."""
    for name in ("BLUE", "ORANGE", "GREEN"):
        assert rgb_of(getattr(colours, name)) == getattr(palette, name)
