"""The loop under every training: what is due when, what is kept, where it goes on."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from sidestep.sequence.fitting.checkpoint import latest_checkpoint, load_checkpoint
from sidestep.sequence.fitting.folder import check_run, check_there, digest_of, read_settings
from sidestep.sequence.fitting.log import read_log
from sidestep.sequence.fitting.runs import Every, Progress, RunLoop
from sidestep.sequence.fitting.stored import check_tensors


def test_every_by_hand() -> None:
    every = Every(100)
    due = [s for s in (0, 50, 99, 100, 101, 199, 200, 450, 460, 500, 999, 1000) if every.due(s)]
    assert due == [100, 200, 450, 500, 999, 1000]  # once for several multiples at once
    assert not any(Every(0).due(s) for s in (0, 1, 10**9))


SCORES = {4: 0.2, 8: 0.7, 12: 0.1, 16: 0.7, 20: 0.9}
"""Of evaluations, by their time; the update moves on by 2."""


class Counting(RunLoop):
    """Counts to `end` by twos, and sums what it has counted."""

    clock, parts = "steps", ("sum", "steps")

    def __init__(self, folder: Path | None = None, end: int = 17, **settings: int) -> None:
        every = {"log_every": 5, "checkpoint_every": 6, "keep_checkpoints": 2, "tensorboard": 0}
        super().__init__(SimpleNamespace(**every | settings), 4, folder, {"run": "a"})
        self.steps, self.sum, self.last = 0, 0, end

    @property
    def now(self) -> int:
        return self.steps

    @property
    def end(self) -> int:
        return self.last

    def _update(self) -> dict[str, float]:
        self.steps += 2
        self.sum += self.steps
        return {"sum": float(self.sum)}

    def _observe(self, metrics: dict[str, float], seconds: float) -> Progress:
        evaluation = None
        if self.evaluations.due(self.now):
            evaluation = {"score": SCORES[self.now]}
            best = {"sum": torch.tensor(self.sum)}
            self._judge({"evaluation": {"return_mean": [1.0] * 3}}, SCORES[self.now], best)
        self.untold = None if self.logs.due(self.now) else metrics
        if self.untold is None:
            self._tell(metrics)
        return Progress(self.now, seconds, metrics, evaluation)

    def _is_enough(self, evaluation: dict[str, Any] | None) -> bool:
        return evaluation is not None and evaluation["score"] > 0.8

    def _course(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def state_dict(self) -> dict[str, Tensor]:
        return {"sum": torch.tensor(self.sum), "steps": torch.tensor(self.steps)}

    def _check(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        own = {"sum": torch.tensor(0), "steps": torch.tensor(0)}
        check_tensors(own, {k: v for k, v in tensors.items() if k in own})

    def _restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> bool:
        self.sum, self.steps = int(tensors["sum"]), facts["steps"]
        self._rewind(facts)
        return True


class Falling(Counting):
    """Scores of which low ones are good."""

    worst = math.inf


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json"))


def lines(folder: Path) -> list[tuple[Any, ...]]:
    return [(line["steps"], line.get("sum", "evaluation")) for line in read_log(folder)]


@pytest.mark.parametrize("end", [17, 18])
def test_what_is_due_when(end: int, tmp_path: Path) -> None:
    loop, seen = Counting(tmp_path, end), list[tuple[int, bool]]()
    loop.run(lambda p: seen.append((p.steps, p.evaluation is not None)))
    assert seen == [(s, s % 4 == 0) for s in range(2, 19, 2)]  # the update that passes the end too
    assert lines(tmp_path) == [
        (4, "evaluation"),
        (6, 12.0),
        (8, "evaluation"),
        (10, 30.0),
        (12, "evaluation"),
        (16, "evaluation"),
        (16, 72.0),
        (18, 90.0),  # not due: it ends the log, after the last checkpoint
    ]
    assert names(tmp_path) == ["best", f"checkpoint-{12:012d}", f"checkpoint-{18:012d}"]
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    assert {k: int(v) for k, v in tensors.items()} == {"sum": 90, "steps": 18}
    assert facts["next"] == [20, 20, 24] and facts["run"] == "a" and facts["best"] == 0.7
    assert facts["log_position"] < loop.log.position()
    loop.run()  # there is nothing left to do
    assert len(lines(tmp_path)) == 8


@pytest.mark.parametrize(("kind", "sums"), [(Counting, 20), (Falling, 42)])
def test_the_best_is_the_first_of_the_best_scores(
    kind: type[Counting], sums: int, tmp_path: Path
) -> None:
    loop = kind(tmp_path)
    assert loop._facts()["best"] is None
    loop.run()
    assert load_checkpoint(tmp_path / "best.json")[0]["sum"] == sums
    assert loop.best == (0.7 if kind is Counting else 0.1)


def test_a_score_that_is_enough_ends_it_with_a_checkpoint(tmp_path: Path) -> None:
    loop = Counting(tmp_path, end=1000)
    loop.run()
    assert loop.now == 20 and names(tmp_path)[-1] == f"checkpoint-{20:012d}"


@pytest.mark.parametrize("stop", [2, 6, 8, 10, 14])
def test_stopped_or_killed_it_goes_on_as_if_it_had_not_been(stop: int, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(progress: Progress) -> bool:
        if progress.steps == stop + 2:
            raise Killed
        return True

    whole, stopped, killed = (tmp_path / name for name in ("whole", "stopped", "killed"))
    Counting(whole).run()
    Counting(stopped).run(lambda p: p.steps < stop)
    assert lines(stopped)[-1][0] == stop
    with pytest.raises(Killed):
        Counting(killed).run(kill)
    (killed / "checkpoint-000000000099-00000000.safetensors").write_bytes(b"half")
    for folder, at in ((stopped, stop), (killed, (stop + 2) // 6 * 6)):
        again = Counting(folder)
        tensors, facts = load_checkpoint(latest_checkpoint(folder))
        assert again.load_state_dict(tensors, facts) and again.now == at
        assert again.best == max([SCORES[s] for s in (4, 8, 12) if s <= at], default=-math.inf)
        again.run()
        assert lines(folder) == lines(whole) and again.best == 0.7
        assert not (folder / "checkpoint-000000000099-00000000.safetensors").exists()
        assert len(list(folder.glob("*.safetensors"))) == 3


def test_a_checkpoint_that_it_does_not_write_changes_nothing(tmp_path: Path) -> None:
    Counting(tmp_path).run(lambda p: p.steps < 8)
    tensors, facts = load_checkpoint(latest_checkpoint(tmp_path))
    other = Counting()
    with pytest.raises(ValueError, match="checkpoint tensor 'more': expected no such tensor"):
        other.load_state_dict({**tensors, "more": tensors["sum"]}, facts)
    with pytest.raises(ValueError, match="checkpoint: expected three due times, got"):
        other.load_state_dict(tensors, {**facts, "next": [5, 5]})
    with pytest.raises(ValueError, match="checkpoint tensor 'sum': expected int64, got float32"):
        other.load_state_dict({**tensors, "sum": torch.tensor(1.0)}, facts)
    assert (other.now, other.sum, other.best, other.logs.next) == (0, 0, -math.inf, 5)


def test_a_folder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a run's folder with a config\.json"):
        read_settings(tmp_path)
    Counting(tmp_path).run()
    with pytest.raises(FileNotFoundError, match=r"\(best, checkpoint-0+12, checkpoint-0+18\)"):
        check_there(tmp_path, tmp_path / "last.json")
    check_there(tmp_path, tmp_path / "best.json")
    assert digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1}) != digest_of({"a": 2})
    check_run(tmp_path, {"run": "a"}, "a")
    with pytest.raises(ValueError, match=r"got a changed config\.json"):
        check_run(tmp_path, {"run": "a"}, "b")
