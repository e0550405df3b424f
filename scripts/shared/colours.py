"""The colours of all plots, on white; of pictures of the world they are in envs/drawing/palette.py.

Blue, orange and green are those of Okabe & Ito (2008). The others of theirs were moved in lightness
until any two differ by 10 or more in CIEDE2000 for every common form of colour blindness, and by 5
or more in lightness alone, where print is grey. No meaning hangs on a colour alone: series have
dashes and markers of their own too.
"""

from typing import Any

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#9C9C9C"
PURPLE, VERMILION, SKY, BLACK = "#7D2D6E", "#D05800", "#7CC8F5", "#000000"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILION, SKY, BLACK, GREY)
"""In the order in which series take them."""
DASHES: tuple[Any, ...] = (
    *("solid", (0, (6, 2)), (0, (2, 1.5)), (0, (8, 2, 2, 2))),
    *((0, (4, 1.5, 1, 1.5, 1, 1.5)), (0, (1, 1)), (0, (10, 3)), (0, (3, 4))),
)
"""Of lines, one for each colour."""
MARKERS = "osD^vPX*"
"""Of points, likewise."""


def style_of(number: int, marked: bool = False) -> dict[str, Any]:
    """Keywords of matplotlib's `plot` for a series, which tell it from others in every light.

    Args:
        number: of the series, from 0; after eight they begin again.
        marked: draw its points too.
    """
    place = number % len(COLOURS)
    style = {"color": COLOURS[place], "linestyle": DASHES[place]}
    return {**style, "marker": MARKERS[place], "markersize": 4} if marked else style
