"""Numbers as pictures: PNG that others read, colours with an order, traces unit by unit."""

import base64
import html
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from sidestep.sequence import GRU, LSTM
from sidestep.sequence.layers.traced import Trace
from sidestep.sequence.pictures import NEGATIVE, POSITIVE, SHARES, ZERO, coloured, heat, png, softly


def images(shown: str | None) -> dict[str, np.ndarray]:
    """The pictures of a piece of HTML by their words."""
    assert shown is not None
    found = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,([^"]*)"', shown)
    return {
        html.unescape(words): np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
        for words, data in found
    }


def test_a_png_holds_every_pixel() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(picture)))), picture)


def test_colours_by_hand() -> None:
    signed = coloured(np.array([-2.0, -1.0, 0.0, 1.0, np.nan]), "signed")
    assert [tuple(c) for c in signed.tolist()] == [NEGATIVE, NEGATIVE, ZERO, POSITIVE, ZERO]
    shares = coloured(np.array([-1.0, 0.0, 0.25, 0.5, 1.0, 9.0]), "share")
    wanted = [SHARES[0], SHARES[0], SHARES[1], SHARES[2], SHARES[4], SHARES[4]]
    assert [tuple(c) for c in shares.tolist()] == wanted
    assert coloured(np.array([3.0]), "signed", most=3.0).tolist() == [list(POSITIVE)]
    bright = coloured(np.linspace(0, 1, 33), "share").astype(int).sum(axis=1)
    assert (np.diff(bright) > 0).all()  # more is brighter


def test_words_are_no_markup() -> None:
    assert 'alt="&lt;b&gt; &quot;"' in heat(np.zeros((1, 2)), '<b> "')


@pytest.mark.parametrize(("cell", "names"), [(LSTM, "hcifgo"), (GRU, "hrzn")])
def test_a_trace_shows_every_state_and_gate(cell: type[LSTM], names: str) -> None:
    torch.manual_seed(0)
    layer = cell(3, 5, num_layers=2)
    trace = layer.trace(torch.randn(7, 2, 3))
    found = images(trace._repr_html_())
    assert sorted(words[0] for words in found) == sorted(names * 2)
    for words, picture in found.items():
        letter, number = words[0], int(words.split("layer ")[1][0])
        values = getattr(trace.cells[number], letter)[:, 0].detach().numpy().T
        kind = "share" if letter in "ifoz" or letter == "r" else "signed"
        most = 1.0 if kind == "share" or letter == "h" else max(1.0, float(np.abs(values).max()))
        np.testing.assert_array_equal(picture, coloured(values, kind, most))  # type: ignore[arg-type]
        assert picture.shape == (5, 7, 3)


def test_what_cannot_be_drawn_is_text() -> None:
    assert Trace(torch.zeros(2, 1, 3), None, ("no record",))._repr_html_() is None
    shown = softly(lambda one: f"{1 / one}")
    assert (shown(2), shown(0)) == ("0.5", None)
