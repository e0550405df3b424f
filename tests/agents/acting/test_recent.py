"""The means over the last episodes of training."""

import pytest
import torch
from torch import Tensor

from sidestep.agents.acting.batch import Episodes
from sidestep.agents.acting.episodes import Recent


def test_recent_episodes() -> None:
    recent = Recent(size=3)
    assert recent.summary() == {}

    def episodes(returns: list[float], success: list[bool] | None) -> Episodes:
        rows: Tensor = torch.tensor(returns, dtype=torch.float64)
        count = torch.arange(len(returns)).numpy()
        flags = None if success is None else torch.tensor(success).numpy()
        return Episodes(count, rows.numpy(), count + 2, count > 0, flags, flags)

    recent.add([episodes([9.0, 1.0], [True, True]), episodes([2.0, 6.0], [True, False])])
    want = {"return": 3.0, "length": pytest.approx(8 / 3), "success": pytest.approx(2 / 3)}
    assert recent.summary() == want and recent.episodes == 4
    other = Recent(size=3)
    other.load_state_dict(recent.state_dict())
    assert other.summary() == want and other.episodes == 4
    recent.add([episodes([1.0, 1.0, 4.0], None)])  # an env that tells nothing but successes
    assert recent.summary() == {"return": 2.0, "length": 3.0, "success": 0.0}
    other = Recent(size=3)
    other.add([episodes([1.0, 1.0, 4.0], None)])  # one that never tells
    assert other.summary() == {"return": 2.0, "length": 3.0}
    other.add([episodes([1.0], [True])])
    assert other.summary()["success"] == pytest.approx(1 / 3)
