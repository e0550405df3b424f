"""The learning curve of one run: what is drawn where an env tells little, or little was played."""

import math
from typing import Any

import numpy as np

from sidestep.scripts.shared.curves import learning_curve


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
