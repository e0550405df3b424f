"""`sidestep bench solver`: its levels are what it says, and what is too large is told."""

import pytest

from sidestep.envs import Level
from sidestep.envs.solver.chains import Problem
from sidestep.scripts.benches import solver as bench


@pytest.mark.parametrize("side", bench.SIDES)
def test_levels(side: int) -> None:
    level = Level.parse(bench.level_of(side, bench.LENGTHS))
    assert (level.width, level.height) == (side, side)
    assert len(level.obstacles) == min(24, side * side // 16)
    tracks = [level.track(obstacle) for obstacle in level.obstacles]
    lengths = [t.right - t.left + t.bottom - t.top + 1 for t in tracks]
    assert set(lengths) == set(bench.LENGTHS[: len(lengths)])
    if side >= 12:
        assert Problem(bench.fixed(str(level)), None, 1.0).period == 240


def test_worlds() -> None:
    cases = bench.worlds(largest=8)
    assert list(cases)[:4] == ["MovingObstacles-v0", "Book-v0", "5x5", "8x8"]
    assert [limit for _, limit in cases.values()] == [100, None, None, None, 30, 30, 30]
    row = {"world": "5x5, 1 wanderer", **bench.measure(*cases["5x5, 1 wanderer"], rounds=1)}
    assert (row["patrols"], row["wanderers"], row["states"]) == (3, 1, 30 * 25 * 25)
    assert 0.95 < row["return"] < 0.965 and row["seconds"] > 0 and row["megabytes"] > 0.1
    assert bench.printed(row)[:5] == ["5x5, 1 wanderer", "3", "1", "1", "18,750"]
    assert len(bench.drawn([row]).axes) == 2


def test_refusals_say_what_to_change() -> None:
    words = bench.refused()
    assert ": pass max_ticks" in words["32x32, tracks of 7 to 18 cells"]
    assert "pass seeds" in words["32x32, random starts"]
    assert "use fewer wanderers" in words["5x5, 4 wanderers"]
