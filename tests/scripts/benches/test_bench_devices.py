"""The bench that `auto`'s table is read off."""

import json
from pathlib import Path

import pytest

from sidestep.scripts.benches import devices
from sidestep.scripts.benches.devices import Job, Options, break_even, jobs_of
from sidestep.sequence.devices import Work


def test_break_even_by_hand() -> None:
    """Between the two with the fewest on the wrong side, in logarithms; each unit by itself."""
    works = [Work(n, "tick") for n in (1, 10, 100, 1000, 10_000)]
    assert break_even("tick", works, [0.1, 0.5, 0.9, 1.1, 3.0]) == pytest.approx(10**2.5)
    assert break_even("tick", works, [0.1, 1.2, 0.9, 1.1, 3.0]) in (
        pytest.approx(10**0.5),
        pytest.approx(10**2.5),
    )
    assert break_even("tick", works, [2.0] * 5) is None
    assert break_even("update", works, [0.1, 0.5, 0.9, 1.1, 3.0]) is None
    other = Work(40, "update")
    assert break_even("tick", [*works, other], [0.1, 0.5, 0.9, 1.1, 3.0, 9.0]) == pytest.approx(
        10**2.5
    )


def test_what_is_measured() -> None:
    jobs = jobs_of(Options(lanes=(8, 16), memories=("gru",), learners=("reinforce",)))
    assert jobs[:2] == [Job("reinforce, gru", n, "reinforce", "gru") for n in (8, 16)]
    assert {job.memory for job in jobs[2:]} == {"lstm", "gru", "translate"}


def test_it_writes_rates_of_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here on the CPU twice."""
    small = [
        "--lanes",
        "4",
        "--learners",
        "deep-sarsa",
        "--seconds",
        "0.01",
        "--no-sequences",
        "--no-layers",
    ]
    devices.main(["--device", "cpu", *small, "--memories", "none", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "results" / "devices.json").read_text())
    (row,) = record["trainings"]
    assert row["rows"] == 4 and row["products"] == 4 * 5376 and row["unit"] == "tick"
    assert row["cpu"] > 100 and row["device"] > 100 and record["break_even"] == {"tick": None}
    assert "deep-sarsa, none" in (tmp_path / "results.md").read_text()
    assert "ratio" in capsys.readouterr().out


@pytest.mark.parametrize("job", jobs_of(Options(lanes=(2,), learners=()))[1::2])
def test_sequence_models_are_measured(job: Job) -> None:
    measured = devices.measure(job, "cpu", 1e-6)
    assert measured.rate > 10 and measured.work.unit == "update"


def test_layers_are_measured_beside_torchs() -> None:
    found = devices.beside_torch("cpu", (3, 2, 5, 7), rounds=2)
    assert set(found) == {"GRU", "LSTM"} and min(found.values()) > 0


def test_a_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        devices.main(["--device", "quantum"])
    assert caught.value.code == 2 and "expected one that is there" in capsys.readouterr().err
