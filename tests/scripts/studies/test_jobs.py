"""Jobs in processes of their own: what they tell, how they end, and that none is left behind."""

from pathlib import Path
from typing import Any

import pytest

from sidestep.scripts.studies.jobs import Job, run_jobs

TASKS = """
import os, signal, sys, time

def act(task, link):
    print("words of a library")
    link.tell(3, "three", now=True)
    if task["do"] == "fail":
        raise ValueError("expected luck, got none")
    if task["do"] == "break":
        raise KeyError("a fault of ours")
    if task["do"] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task["do"] == "told":
        os.kill(os.getpid(), signal.SIGTERM)
        while not link.stopped:
            time.sleep(0.01)
        link.leave()
    if task["do"] == "leave":
        os._exit(7)
    if task["do"] == "wait":
        while not link.stopped:
            time.sleep(0.01)
        open(task["file"], "w").close()
        link.leave()
    if task["do"] == "end":
        link.saved()
        time.sleep(600)
    open(task["file"], "w").write(os.environ["OMP_NUM_THREADS"])
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "some_tasks.py").write_text(TASKS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return "some_tasks:act"


def job(folder: Path, do: str) -> Job:
    return Job(do, {"do": do, "file": str(folder / f"{do}.done")}, 10, folder / f"{do}.log")


def run(target: str, jobs: list[Job], stop: list[str], **options: Any) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    run_jobs(target, jobs, 3, "all", stop, lambda one, error: found.update({one.name: error}))
    return found


def test_jobs_end_each_in_its_own_way(target: str, tmp_path: Path) -> None:
    names = ["fail", "break", "die", "leave", "told", "do"]
    found = run(target, [job(tmp_path, name) for name in names], [])
    logs = {name: f" (all of it: {tmp_path / name}.log)" for name in names}
    assert found == {
        "fail": f"expected luck, got none{logs['fail']}",
        "break": f"KeyError: 'a fault of ours'{logs['break']}",
        "die": "killed by SIGKILL",
        "leave": "words of a library",  # all that there is
        "told": "stopped from outside",
        "do": None,
    }
    assert (tmp_path / "do.done").read_text() == "1"  # thread, if nobody says otherwise
    assert "Traceback" in (tmp_path / "break.log").read_text()
    assert not (tmp_path / "do.log").exists()


def test_once_stopped_jobs_save_and_end_and_no_other_begins(target: str, tmp_path: Path) -> None:
    stop: list[str] = []
    jobs = [job(tmp_path, "do"), job(tmp_path, "wait"), job(tmp_path, "end")]
    jobs.append(job(tmp_path, "fail"))
    ended: list[str] = []

    def on_end(one: Job, error: str | None) -> None:
        ended.append(one.name)
        stop.append("SIGTERM")

    jobs[3] = job(tmp_path, "late")._replace(task={"do": "do", "file": str(tmp_path / "late")})
    run_jobs(target, jobs, 3, "all", stop, on_end)
    assert ended == ["do"] and (tmp_path / "wait.done").exists()
    assert not (tmp_path / "late").exists()
    assert not list(tmp_path.glob("*.log"))


def test_interrupted_a_second_time_nothing_is_left(target: str, tmp_path: Path) -> None:
    def interrupt(one: Job, error: str | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_jobs(target, [job(tmp_path, n) for n in ("do", "wait")], 2, "all", [], interrupt)
    assert not (tmp_path / "wait.done").exists()  # ended at once: run_jobs waits for its end
