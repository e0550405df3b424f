"""The learning curve of one run: what is drawn where an env tells little, or little was played."""

import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure

from sidestep.scripts.shared.curves import check_picture, learning_curve, plain_axes, save_figure
from sidestep.scripts.shared.fonts import FAMILIES, with_fallback


def lines_of(records: list[dict[str, Any]]) -> dict[str, list[list[float]]]:
    """The values of every line, by the panel's label; exploring first, then greedy."""
    return {
        axes.get_ylabel(): [np.asarray(line.get_ydata()).tolist() for line in axes.get_lines()]
        for axes in learning_curve(records, "title").axes
    }


def test_success_is_none_until_an_env_that_tells_nothing_else_tells_one() -> None:
    records: list[dict[str, Any]] = [
        {"steps": 1, "return": 0.5},
        {"steps": 1, "evaluation": {"return_mean": [0.25, 0.0, 0.5]}},
        {"steps": 2, "return": 1.5, "success": 0.125},
        {"steps": 2, "evaluation": {"return_mean": [2.0, 1.0, 3.0], "success": [0.5, 0.25, 0.75]}},
    ]
    assert lines_of(records) == {
        "return of an episode": [[0.5, 1.5], [0.25, 2.0]],
        "share of episodes at the goal": [[0.0, 0.125], [0.0, 0.5]],
    }
    assert list(lines_of(records[:2])) == ["return of an episode"]


def test_the_optimum_is_a_line_among_the_returns() -> None:
    records = [{"steps": n, "return": 0.1 * n, "success": 0.5} for n in range(4)]
    returns, success = learning_curve(records, "title", optimum=0.625).axes
    assert returns.get_lines()[-1].get_ydata() == [0.625, 0.625]
    assert returns.get_ylim()[1] > 0.64 and len(success.get_lines()) == 1  # not at the very edge
    legend = returns.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["exploring", "optimum"]


def test_an_evaluation_of_one_episode_has_no_band() -> None:
    records = [
        {"steps": 1, "return": 0.5},
        {"steps": 1, "evaluation": {"return_mean": [0.25, None, None]}},
    ]
    assert lines_of(records) == {"return of an episode": [[0.5], [0.25]]}
    (axes,) = learning_curve(records, "title").axes
    (band,) = axes.collections
    assert not any(math.isfinite(y) for path in band.get_paths() for y in path.vertices[:, 1])


def drawing() -> Figure:
    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot([1, 2], [3, 4], label="Tom's; \u03b3 < 1")
    plain_axes(axes, "steps $ of it", "gain")
    axes.legend()
    return figure


def test_the_ending_decides_on_the_format_and_the_same_figure_is_the_same_file(
    tmp_path: Path,
) -> None:
    for suffix, start in (
        (".png", b"\x89PNG"),
        (".svg", b"<?xml"),
        (".pdf", b"%PDF"),
        ("", b"\x89P"),
    ):
        files = [tmp_path / f"{name}{suffix}" for name in "ab"]
        for file in files:
            save_figure(drawing(), file, "of this")
        first, second = (file.read_bytes() for file in files)
        assert first.startswith(start) and first == second
        assert b"of this" in first
    for name in ("a.jpg", "a", "a.svgz"):
        with pytest.raises(ValueError, match=f"figure: expected a .png, .svg or .pdf, got {name}"):
            check_picture(Path(name), "figure")
    check_picture(None, "figure")


def test_words_of_an_svg_stay_words_with_fonts_for_hangul(tmp_path: Path) -> None:
    save_figure(drawing(), tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = {
        "".join(e.itertext()).strip(): e.get("style", "")
        for e in root.iter()
        if e.tag.endswith("text")
    }
    assert {"steps $ of it", "gain", "Tom's; \u03b3 < 1"} <= set(texts)
    for style in texts.values():
        families = re.findall(r"'([^']+)'", style)
        assert families[0] == "DejaVu Sans" and set(FAMILIES) < set(families)
        assert len(set(families)) == len(families)
        assert re.search(r"', sans-serif(;|$)", style)


def test_a_family_that_was_chosen_for_a_text_comes_second() -> None:
    mine = "font: 10px 'DejaVu Sans', 'Bitstream Vera Sans', sans-serif, 'My Hangul'; fill: 'x'"
    names = re.findall(
        r"'([^']+)'", with_fallback(f"<text style=\"{mine}\">'a', sans-serif</text>")
    )
    assert names[:3] == ["DejaVu Sans", "My Hangul", FAMILIES[0]] and names[-2:] == ["x", "a"]
