"""The colours of every picture: figures of Okabe & Ito (2008) on night-blue ground.

The eight colours of Okabe and Ito can be told apart with every common form of colour blindness;
shapes differ as well, so that no meaning hangs on a colour alone.
"""

Colour = tuple[int, int, int]

ORANGE: Colour = (230, 159, 0)
SKY: Colour = (86, 180, 233)
GREEN: Colour = (0, 158, 115)
YELLOW: Colour = (240, 228, 66)
BLUE: Colour = (0, 114, 178)
VERMILION: Colour = (213, 94, 0)
PURPLE: Colour = (204, 121, 167)

NIGHT: Colour = (17, 22, 40)
"""Behind everything."""
FLOOR: Colour = (34, 42, 70)
FLOOR_ODD: Colour = (39, 48, 79)
"""Every second cell."""
WALL: Colour = (92, 104, 142)
WALL_LIGHT: Colour = (122, 135, 175)
INK: Colour = (20, 26, 46)
"""Outlines, and text on bright ground."""
WHITE: Colour = (245, 247, 252)
DIM: Colour = (142, 152, 184)
"""Text that matters less."""
LINE: Colour = (58, 68, 104)
"""Rules, empty bars, the tracks of patrols."""


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """`first` with a share in [0, 1] of `second`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue
