"""Hangul in pictures: romanised letter by letter, or by a font that really has it."""

from pathlib import Path

import pytest
import torch

from sidestep.scripts.sequences import hangul
from sidestep.scripts.sequences.translate_figures import Look, attention_figure, attention_text
from sidestep.scripts.shared.fonts import covers


@pytest.fixture(autouse=True)
def no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a Hangul font; the cached answer is forgotten."""
    monkeypatch.delenv(hangul.FONT_VARIABLE, raising=False)
    monkeypatch.setattr(hangul, "hangul_font", lambda: None)


@pytest.mark.parametrize(
    ("korean", "latin"),
    [
        ("읽었다", "ilg-eossda"), ("책", "chaeg"), ("나는", "naneun"), ("것이다", "geos-ida"),
        ("아이", "a-i"), ("독립", "doglib"), ("물엿", "mul-yeos"),
        ("없었습니다", "eobs-eossseubnida"),
        ("2021년 3월", "2021nyeon 3wol"), ("좋아하지 않을", "joh-ahaji anh-eul"), ("ok", "ok"),
    ],
)  # fmt: skip
def test_romanisation(korean: str, latin: str) -> None:
    assert hangul.romanise(korean) == latin


def test_romanisation_can_be_read_back() -> None:
    syllables = [chr(code) for code in range(ord("가"), ord("힣") + 1)]
    assert len({hangul.romanise(s) for s in syllables}) == len(syllables) == 11172


def test_labels_without_a_font() -> None:
    labels, font, remark = hangul.labels_for(["나", "는", "end"])
    assert labels == ["na", "neun", "end"] and font == {}
    assert remark == "no font with Hangul: romanised (set SIDESTEP_FONT to a font file)"
    assert hangul.labels_for(["a", "end"]) == (["a", "end"], {}, "")


def test_one_line_says_that_there_is_no_font(capsys: pytest.CaptureFixture[str]) -> None:
    hangul.tell_font(["나", "는", "end"])
    printed = capsys.readouterr().out
    assert "No font was found with 나는: " in printed and printed.count("\n") == 1
    hangul.tell_font(["end"])
    assert capsys.readouterr().out == ""


def test_a_font_with_one_box_for_all_is_none() -> None:
    """matplotlib brings Last Resort, whose one glyph stands for every Hangul syllable."""
    from matplotlib import font_manager

    paths = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    assert not covers(paths["DejaVu Sans"], "가읽힣")
    for name, path in paths.items():
        if "Last Resort" in name:
            assert not covers(path, "가읽힣") and not covers(path, "가")


def test_wrong_font_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import font_manager

    monkeypatch.undo()
    for path in (str(tmp_path / "no.ttf"), font_manager.findfont("DejaVu Sans")):
        monkeypatch.setenv(hangul.FONT_VARIABLE, path)
        hangul.hangul_font.cache_clear()
        with pytest.raises(ValueError, match="SIDESTEP_FONT: expected a font file with Hangul"):
            hangul.hangul_font()
    hangul.hangul_font.cache_clear()


LOOK = Look(
    ("나", "는", "물", "을"), ("I", "drink"),
    torch.tensor([[0.9, 0.1, 0.0, 0.0, 0.0], [0.0, 0.0, 0.3, 0.6, 0.1], [0.0, 0.0, 0.0, 0.2, 0.8]]),
    ((0, 0), (2, 1)),
)  # fmt: skip


def test_a_picture_has_no_boxes_and_frames_the_alignment() -> None:
    """A missing glyph is a warning, and a warning is an error here."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = attention_figure([LOOK], "title")
    FigureCanvasAgg(figure).draw()
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == [
        "na",
        "neun",
        "mul",
        "eul",
        "end",
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["I", "drink", "end"]
    assert [patch.get_xy() for patch in axes.patches] == [(-0.5, -0.5), (1.5, 0.5)]
    assert axes.images[0].get_array().tolist() == LOOK.weights.tolist()
    assert "romanised" in figure.get_suptitle() and "true alignment" in figure.get_suptitle()


def test_attention_in_the_terminal() -> None:
    lines = attention_text(LOOK, 80).plain.split("\n")
    assert lines[0] == "       나 는 물 을 "
    assert lines[1] == "    I  ██ ░░       "
    assert lines[2] == "drink        ▒▒ ▓▓ "
    narrow = attention_text(LOOK, 14).plain.split("\n")
    assert narrow[0] == "       나 는 " and narrow[3] == "       물 을 "
    assert narrow[5] == "drink  ▒▒ ▓▓ "
    letters = Look("ab", ("c", " "), torch.tensor([[0.04, 0.96], [1.0, 0.0]]))
    assert attention_text(letters, 80).plain == "   ab\nc   █\n\u2423  █ \n"
    assert attention_text(Look("a", (), torch.ones(1, 2)), 80).plain == "Nothing was written."
