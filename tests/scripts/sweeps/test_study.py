"""A sweep's storage: trials are taken once, counted over all, and taken up from the dead."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

from sidestep.scripts.sweeps import workers  # noqa: E402
from sidestep.scripts.sweeps.space import Parameter, Space  # noqa: E402
from sidestep.scripts.sweeps.study import Busy, Study, Taken, journal_of, mend  # noqa: E402
from sidestep.scripts.sweeps.workers import Worker  # noqa: E402

SPACE = Space(
    (
        Parameter("learning_rate", "log", 1e-4, 1e-2),
        Parameter("minibatches", "int", 1, 8),
        Parameter("rollout_steps", "log-int", 4, 64),
        Parameter("discount", "linear", 0.9, 1.0),
        Parameter("hidden_sizes", "choices", 0, 0, ([64], [32, 32])),
    ),
    {"trace_decay": 0.8},
)
RECORD: dict[str, Any] = {"learner": "deep-sarsa", "env": {"id": "a"}, "seeds": [0, 1], "rungs": 3}
RECORD |= {"pruner": "median", "sampler": "tpe", "sampler_seed": 0}


def study_in(folder: Path, **changes: Any) -> Study:
    return Study(folder, SPACE, RECORD | changes, lambda: 0.6)


def taken(study: Study, worker: Worker, budget: int = 9) -> Taken:
    found = study.take(worker, budget)
    assert isinstance(found, Taken)
    return found


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker(tmp_path / "workers") as worker:
        yield worker


def test_trials_are_counted_over_all_who_join(tmp_path: Path, worker: Worker) -> None:
    one, two = study_in(tmp_path / "s"), study_in(tmp_path / "s")
    with Worker(tmp_path / "workers") as other, Worker(tmp_path / "workers") as last:
        first, second, third = taken(one, worker, 3), taken(two, other, 3), taken(one, last, 3)
        assert [first.number, second.number, third.number] == [0, 1, 2]
        two.complete(second, 0.2)
        assert two.take(other, 3) == Busy(2)
        one.complete(third, 0.1, seeds=[0.05, 0.15])
        one.prune(first)
        assert one.take(worker, 3) is None is two.take(other, 3)
        assert taken(two, other, 4).number == 3  # a larger budget goes on
    assert one.counts() == {"complete": 2, "pruned": 1, "running": 1}
    best = two.best()
    assert best is not None and best.number == 2 and best.user_attrs["seeds"] == [0.05, 0.15]


def test_others_at_work_are_waited_for(tmp_path: Path, worker: Worker) -> None:
    study = study_in(tmp_path / "s")
    taken(study, worker, 1)
    with Worker(tmp_path / "workers") as other:
        assert study.take(other, 1) == Busy(1)


def test_the_dead_worker_s_trial_is_taken_up_with_its_settings(tmp_path: Path) -> None:
    study = study_in(tmp_path / "s")
    with Worker(tmp_path / "workers") as first:
        trial = taken(study, first)
        study.report(trial, 1, 0.4)
    with Worker(tmp_path / "workers") as second:  # the first is gone
        again = taken(study, second)
        assert again == trial._replace(attempt=2)
        assert study.report(again, 1, 0.4)  # the same rung once more
        study.complete(again, 0.3)
        study.complete(trial, 9.9)  # the first one was asleep: too late
    assert [t.value for t in study.trials()] == [0.3]


def test_a_trial_that_kills_its_workers_fails(tmp_path: Path) -> None:
    study = study_in(tmp_path / "s")
    for attempt in (1, 2, 3):
        with Worker(tmp_path / "workers") as worker:
            assert taken(study, worker, 1)[::2] == (0, attempt)
    with Worker(tmp_path / "workers") as worker:
        assert study.take(worker, 1) is None
    assert study.counts() == {"fail": 1}
    assert study.reasons() == ["Trial 0: its worker died, 3 times"]


def test_what_was_given_back_is_no_death(tmp_path: Path) -> None:
    study = study_in(tmp_path / "s")
    for _ in range(5):
        with Worker(tmp_path / "workers") as worker:
            trial = taken(study, worker)
            assert (trial.number, trial.attempt) == (0, 1)
            study.give_back(trial)


def test_a_worker_killed_as_it_began_leaves_a_whole_trial(tmp_path: Path, worker: Worker) -> None:
    study, other = study_in(tmp_path / "s"), study_in(tmp_path / "t")
    study.study.ask()  # and no parameter was drawn
    assert taken(study, worker) == taken(other, worker)


def test_what_is_drawn_depends_on_the_number_and_not_on_the_worker(
    tmp_path: Path, worker: Worker
) -> None:
    def drawn(name: str, **changes: Any) -> list[dict[str, Any]]:
        found = []
        for number in range(14):
            study = study_in(tmp_path / name, **changes)  # another process for each trial
            trial = taken(study, worker, 14)
            study.complete(trial, trial.stored["learning_rate"] + number % 3)
            found.append(trial.stored)
        return found

    first = drawn("a")
    assert first == drawn("b") != drawn("c", sampler_seed=1)
    assert len({json.dumps(stored) for stored in first}) == 14
    for stored in first:
        assert 1e-4 <= stored["learning_rate"] <= 1e-2 and 0.9 <= stored["discount"] <= 1.0
        assert stored["minibatches"] in range(1, 9) and stored["rollout_steps"] in range(4, 65)
        point = SPACE.point_of(stored)
        assert point["hidden_sizes"] in ([64], [32, 32]) and point["trace_decay"] == 0.8
    assert drawn("d", sampler="random") != first


def test_the_median_prunes_at_rungs_and_never_at_the_end(tmp_path: Path, worker: Worker) -> None:
    study = study_in(tmp_path / "s")
    for value in (0.1, 0.2, 0.3, 0.4, 0.5):
        trial = taken(study, worker)
        assert all(study.report(trial, rung, value) for rung in (1, 2, 3))
        study.complete(trial, value)
    good, bad = 0.29, 0.31  # of regrets, around the median
    trial = taken(study, worker)
    assert study.report(trial, 1, good)
    study.complete(trial, good)
    trial = taken(study, worker)
    assert not study.report(trial, 2, bad) and study.report(trial, 3, bad)
    returns = Study(tmp_path / "r", SPACE, RECORD | {"pruner": "none"}, lambda: None)
    assert returns.study.direction == optuna.study.StudyDirection.MAXIMIZE
    for value in (1.0, 2.0, 3.0, 4.0, 5.0, -9.0):
        trial = taken(returns, worker)
        assert returns.report(trial, 1, value)
        returns.complete(trial, value)
    best = returns.best()
    assert best is not None and best.value == 5.0


def test_hyperband_prunes_by_successive_halving(tmp_path: Path, worker: Worker) -> None:
    study = study_in(tmp_path / "s", pruner="hyperband")
    kept = 0
    for number in range(40):
        trial = taken(study, worker, 40)
        if study.report(trial, 1, float(number)):
            kept += 1
            study.complete(trial, float(number))
        else:
            study.prune(trial)
    assert 0 < kept < 30


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learner": "reinforce", "rungs": 4}, "learner 'deep-sarsa', as in the study that"),
        ({"env": {"id": "b"}, "rungs": 4}, "env.id 'a', as in"),
        ({"env": {"id": "a", "kwargs": []}}, "env.kwargs none, as in"),
        ({"rungs": 4}, "rungs 3, as in the study that"),
        ({"seeds": [0]}, r"seeds \[0, 1\], as in"),
    ],
)
def test_another_study_s_storage_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    study_in(tmp_path / "s")
    before = journal_of(tmp_path / "s").read_bytes()
    with pytest.raises(ValueError, match=f"storage: expected {words}"):
        study_in(tmp_path / "s", **changes)
    assert journal_of(tmp_path / "s").read_bytes().startswith(before)
    study_in(tmp_path / "s")


def test_other_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="storage: expected a folder, got the file"):
        study_in(tmp_path / "file")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "letter.txt").write_text("")
    with pytest.raises(FileExistsError, match="storage: expected a new folder or one of a sweep"):
        study_in(tmp_path / "used")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "trials.lock1.rename").write_text("")  # another process just begins it
    study_in(tmp_path / "new")
    odd = ("words\nand more\n", "words", "[]\n", '{"op_code":0}\n{"op_code":"x"}\n')
    for text in odd:
        (tmp_path / "odd").mkdir(exist_ok=True)
        journal_of(tmp_path / "odd").write_text(text)
        with pytest.raises(ValueError, match=r"journal.log: expected a journal of Optuna's, got"):
            study_in(tmp_path / "odd")
        assert journal_of(tmp_path / "odd").read_text() == text


def test_half_a_line_is_cut_off(tmp_path: Path, worker: Worker) -> None:
    study = study_in(tmp_path / "s")
    study.complete(taken(study, worker), 0.5)
    path = journal_of(tmp_path / "s")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":6,"wor')
    mend(path)
    assert path.read_bytes() == whole
    path.write_bytes(whole + b'{"op_code":6,"wor\n')
    mend(path)
    mend(path)
    assert path.read_bytes() == whole
    path.write_bytes(whole + b'{"op_code":6,"wor')
    again = study_in(tmp_path / "s")
    again.complete(taken(again, worker), 0.4)
    assert study_in(tmp_path / "s").counts() == {"complete": 2}


def test_seen_from_another_machine_a_worker_dies_when_its_count_stands_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: clock[0])
    observer, name = Worker(tmp_path), "far-1-abc"
    lock, record = tmp_path / f"{name}.lock", tmp_path / f"{name}.json"
    assert observer.is_dead(name)  # nothing of it is left
    lock.write_text("")  # locks of the far machine are not seen here
    record.write_text(json.dumps({"machine": "far", "beat": 1}))
    assert not observer.is_dead(name)
    clock[0] += workers.GRACE - 1
    assert not observer.is_dead(name)
    record.write_text(json.dumps({"machine": "far", "beat": 2}))
    clock[0] += 2
    assert not observer.is_dead(name)  # it has counted on
    clock[0] += workers.GRACE - 1
    assert not observer.is_dead(name)
    clock[0] += 2
    assert observer.is_dead(name)
    record.write_text(json.dumps({"machine": workers.machine(), "beat": 2}))
    assert observer.is_dead(name)  # of this machine, at once


def test_the_living_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BEAT", 0.01)
    with Worker(tmp_path) as one, Worker(tmp_path) as two:
        assert not one.is_dead(two.name) and not two.is_dead(one.name)
        record = tmp_path / f"{one.name}.json"
        while json.loads(record.read_text())["beat"] < 2:
            pass
    assert list(tmp_path.iterdir()) == []
