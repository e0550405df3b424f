"""Letters in pictures: fonts that have them, found where the system keeps them, or plain words."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.figure import Figure

from sidestep.scripts import lm
from sidestep.scripts.sequences import hangul
from sidestep.scripts.sequences.painted import as_figure, lacking
from sidestep.scripts.shared import fonts
from sidestep.scripts.shared.curves import save_figure

LETTERS = "가읽힣나는밥"


def build_font(path: Path, name: str, letters: str) -> Path:
    """A font of squares of different sizes."""
    names = [".notdef", *(f"g{ord(letter)}" for letter in letters)]
    glyphs = {}
    for size, glyph in enumerate(names, start=300):
        pen = TTGlyphPen(None)
        pen.moveTo((0, 0))
        for point in ((size, 0), (size, size), (0, size)):
            pen.lineTo(point)
        pen.closePath()
        glyphs[glyph] = pen.glyph()
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(letter): f"g{ord(letter)}" for letter in letters})
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys(names, (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture(autouse=True)
def bare_system(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a machine that has matplotlib's own fonts only."""
    monkeypatch.delenv(fonts.FONT_VARIABLE, raising=False)
    own = [e for e in font_manager.fontManager.ttflist if "mpl-data" in e.fname]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [])
    fonts.forget_fonts()
    hangul.hangul_font.cache_clear()
    yield
    fonts.forget_fonts()
    hangul.hangul_font.cache_clear()


def texts_of(figure: Figure) -> list[Any]:
    return list(figure.axes[0].texts)


def test_a_font_installed_after_matplotlib_s_list_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fonts.family_with("읽") is hangul.hangul_font() is None
    path = build_font(tmp_path / "new.ttf", "Newgul", LETTERS)
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    found = [str(tmp_path / "broken.ttf"), str(path)]
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: found)
    fonts.forget_fonts()
    hangul.hangul_font.cache_clear()
    assert fonts.family_with("읽") == hangul.hangul_font() == "Newgul"
    assert fonts.family_with("漢") is None


def test_a_font_that_is_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = build_font(tmp_path / "named.ttf", "Namedgul", LETTERS)
    monkeypatch.setenv(fonts.FONT_VARIABLE, str(path))
    fonts.forget_fonts()
    assert fonts.family_with("나") == hangul.hangul_font() == "Namedgul"


def test_hangul_is_painted_in_a_font_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(fonts.FONT_VARIABLE, str(build_font(tmp_path / "g.ttf", "Gul", LETTERS)))
    fonts.forget_fonts()
    figure = as_figure("나는 x\n漢e\u0301", [0.5] * 8, "밥")
    shown = {t.get_text(): t.get_fontfamily() for t in texts_of(figure)}
    assert shown["나"] == ["DejaVu Sans Mono", "Gul"] and shown["x"] == ["DejaVu Sans Mono"]
    assert "\u25a1" in shown and lacking("나는 x 漢") == ["漢"]
    assert [patch.get_width() for patch in figure.axes[0].patches] == pytest.approx(
        [13.6, 13.6, 6.8, 6.8, 13.6, 6.8]  # Hangul and Han take two columns, marks none
    )
    save_figure(figure, tmp_path / "x.png")  # a missing glyph is a warning, and an error here
    assert "Gul" in texts_of(figure)[0].get_fontfamily() and capsys.readouterr().out == ""


def test_pictures_without_a_font_say_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figure = Figure()
    axes: Any = figure.subplots()
    axes.set(title="읽었다", xlabel="漢 \x1b", ylabel="plain")
    axes.plot([0, 1], label="나")
    axes.legend()
    save_figure(figure, tmp_path / "x.png")
    assert axes.get_title() == "ilg-eossda" and axes.get_xlabel() == "\u25a1 \u25a1"
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1 and "No font was found with" in printed and "漢" in printed
    assert fonts.FONT_VARIABLE in printed


def test_labels_of_ticks_are_fitted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(fonts.FONT_VARIABLE, str(build_font(tmp_path / "g.ttf", "Gul", LETTERS)))
    fonts.forget_fonts()
    figure = Figure()
    axes: Any = figure.subplots()
    axes.imshow([[0.0, 1.0, 0.5]])
    axes.set_xticks(range(3), ["나\udcff", "\u0939\u093e\u0901", "밥"], rotation=55)
    axes.set_yticks([0], ["x\x1b"])
    save_figure(figure, tmp_path / "x.png")
    labels = axes.get_xticklabels()
    assert [label.get_text() for label in labels] == [
        "나\u25a1",
        "\u25a1",
        "밥",
    ]  # marks go with their letter
    assert labels[0].get_rotation() == 55 and "Gul" in labels[2].get_fontfamily()
    assert axes.get_yticklabels()[0].get_text() == "x\u25a1"
    assert "No font was found with \u0939" in capsys.readouterr().out


def test_paint_says_which_letters_no_font_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = tmp_path / "text.txt", tmp_path / "run"
    path.write_text("나는 밥을 먹었다.\n" * 20, encoding="utf-8")
    lm.main(["train", str(path), "--out", str(folder), "--hidden-size", "5", "--updates", "1"])
    capsys.readouterr()
    lm.main(["paint", str(folder), "--unit", "1"])
    printed = capsys.readouterr().out
    assert printed.count("No font was found with") == 1 and "나는" in printed
