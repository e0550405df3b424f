"""`sidestep record`: files of every kind, the episodes that are picked, errors."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest

from sidestep.scripts import record, train
from sidestep.scripts.viewer import recording as film
from sidestep.scripts.viewer.players import Players
from sidestep.scripts.viewer.recording import Film, Shot, write_film
from sidestep.scripts.viewer.screen import Screen


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "small"
    flags = "--total-steps 2000 --num-envs 16 --episodes 10 --gif-episodes 0 --evaluate-every 0"
    train.main(["deep-sarsa", *flags.split(), "--memory", "gru", "--out", str(folder)])
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def test_a_gif_repeats_with_the_seed(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "a.gif", tmp_path / "b.gif"]
    for path in paths:
        flags = ["--seed", "5", "--sampled", "--size", "320x240", "--fps", "8"]
        record.main([str(run_folder), "--out", str(path), *flags])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    frames = imageio.imread(paths[0], index=None, mode="RGB")
    assert frames.shape[1:] == (240, 320, 3) and len(frames) > 1
    assert "of seed 5" in said(capsys)


def test_a_picture_of_one_tick_with_and_without_panels(run_folder: Path, tmp_path: Path) -> None:
    path, sizes = tmp_path / "a.png", []
    for panels in ([], ["--panels"], ["--panels", "units", "gates"]):
        record.main([str(run_folder), "--out", str(path), "--tick", "0", *panels])
        sizes.append(imageio.imread(path))
    assert all(picture.shape == (560, 800, 3) for picture in sizes)
    assert not np.array_equal(sizes[0], sizes[1]) and not np.array_equal(sizes[1], sizes[2])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the reader's
def test_a_film(tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    path = tmp_path / "a.mp4"
    flags = ["--size", "321x243", "--pick", "best", "--among", "7", "--episodes", "2"]
    record.main(["--optimum", "--out", str(path), *flags])
    frames = imageio.imread(path, plugin="FFMPEG")
    assert frames.shape[1:] == (242, 320, 3) and len(frames) > 10
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_picks(tmp_path: Path, capsys: pytest.CaptureFixture[str], run_folder: Path) -> None:
    out = ["--out", str(tmp_path / "a.png"), "--size", "160x120", "--among", "13", "--seed", "3"]
    gif = ["--out", str(tmp_path / "a.gif"), "--size", "160x120", "--seed", "3"]
    record.main([str(run_folder), *gif, "--pick", "first", "--episodes", "2"])
    assert "of seeds 3, 4" in said(capsys)
    record.main(["--optimum", "--env-kwargs", "level=S.>.G\n....<", *out, "--pick", "best"])
    best = said(capsys)
    record.main(["--optimum", "--env-kwargs", "level=S.>.G\n....<", *out, "--pick", "worst"])
    assert best != said(capsys)
    with pytest.raises(SystemExit):
        record.main(["--optimum", *out, "--pick", "first-failure"])
    assert "expected a failure, every episode from seed 3 on" in capsys.readouterr().err


@pytest.mark.parametrize("which", ["first-failure", "best", "worst"])
def test_a_search_is_not_counted(which: str, run_folder: Path) -> None:
    options = record.Options(run_folder, out=Path("a.png"), pick=which, among=9)  # type: ignore[arg-type]
    players = Players.of(options)
    try:
        (session,) = players.sessions(1, 3)
        (seed,) = record.pick(session, options)
        assert session.tally.status() == "episode 1   tick 0   return 0.00   successes 0/0"
        record.play(session, seed)
        assert session.tally.episodes == 1 and len(session.tally.returns) == 1
    finally:
        players.close()


@pytest.mark.parametrize(
    ("told", "want"),
    [
        ([True, False, True], 1),
        ([np.bool_(True), np.array([True]), [False]], 2),
        ([None, None, True, None], 0),  # tells nothing but successes
        ([True, None, True], 1),
        ([True, True], None),
    ],
)
def test_the_first_failure_in_whatever_form_it_is_told(told: list[Any], want: int | None) -> None:
    class Told:
        tally = SimpleNamespace(over=True, total=0.0)

        def begin(self, seed: int) -> None:
            self.info = {} if told[seed] is None else {"is_success": told[seed]}

    assert record.first_failure(Told(), range(len(told))) == want  # type: ignore[arg-type]
    told = [None] * len(told)
    with pytest.raises(ValueError, match="expected an env that tells is_success"):
        record.first_failure(Told(), range(len(told)))  # type: ignore[arg-type]


def test_the_first_failure_fails(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "a.gif"), "--size", "160x120"]
    record.main([str(run_folder), *out, "--pick", "first-failure"])
    seed = int(said(capsys).split("of seed ")[1].split(",")[0])
    from sidestep.agents import evaluate, load_agent, make_vector

    agent, config = load_agent(run_folder)
    env = make_vector(config.env, 1)
    outcomes = [evaluate(agent, env, 1, seed=k).success[0] for k in range(seed + 1)]  # type: ignore[index]
    env.close()
    assert outcomes == [True] * seed + [False]


def test_green_dots_do_not_ask_for_regret(run_folder: Path) -> None:
    def optimal(*panels: str) -> bool:
        options = record.Options(run=run_folder, out=Path("a.png"), panels=panels)
        players = Players.of(options)
        try:
            (session,) = players.sessions(1, 0, record.knows(options))
            return session.moment(panels).optimal is not None
        finally:
            players.close()

    assert optimal("values") and optimal("regret") and not optimal("trail")


def test_a_picture_of_lanes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    picture = Screen.picture
    monkeypatch.setattr(Screen, "picture", lambda *a: drawn.append(a) or picture(*a))
    out = ["--out", str(tmp_path / "a.png"), "--lanes", "3", "--size", "160x120"]
    for tick in ([], ["--tick", "2"]):
        record.main(["--optimum", *out, *tick])
        assert imageio.imread(tmp_path / "a.png").shape == (120, 160, 3)
    assert len(drawn) == 2  # none but the one that is written


def test_lanes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.gif"
    record.main(["--optimum", "--out", str(path), "--lanes", "5", "--size", "320x240"])
    assert "of 5 lanes" in said(capsys)
    assert len(imageio.imread(path, index=None, mode="RGB")) > 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out", "a.webm"], "out: expected a name ending in .gif, .mp4, .png, .html, got a.webm"),
        (["--out", "no/such/a.gif"], "out: expected a folder that is there, got no/such"),
        (["--out", "a.gif", "--size", "big"], "size: expected WIDTHxHEIGHT, got 'big'"),
        (["--out", "a.gif", "--size", "9x9"], "size: expected 160x120 to 4096x4096, got 9x9"),
        (["--out", "a.gif", "--fps", "0"], "fps: expected 0.1 to 50, got 0"),
        (["--out", "a.gif", "--fps", "51"], "fps: expected 0.1 to 50, got 51"),
        (["--out", "a.png", "--fps", "inf"], "fps: expected 0.1 to 120, got inf"),
        (["--out", "a.png", "--episodes", "2"], "episodes: expected 1 for a .png, got 2"),
        (
            ["--out", "a.gif", "--pick", "best", "--among", "2", "--episodes", "3"],
            "episodes: expected at most --among, 2, got 3",
        ),
        (["--out", "a.png", "--lanes", "2", "--tick", "999"], "tick: expected at most"),
        (["--out", "a.png", "--sampled"], "optimum: expected neither --sampled nor"),
        (["--out", "a.png", "--checkpoint", "best"], "optimum: expected neither --sampled nor"),
        (["run.json", "--out", "a.png", "--env", "CartPole-v1"], "env: expected none beside run"),
        (["run.json", "--out", "a.png", "--env-kwargs", "a=1"], "env: expected none beside run.js"),
        (["--out", "a.gif", "--tick", "3"], "tick: expected 0 or more, for a .png"),
        (["--out", "a.png", "--tick", "999"], "tick: expected at most"),
        (["--out", "a.gif", "--lanes", "65"], "lanes: expected 1 to 64, got 65"),
        (["--out", "a.gif", "--panels", "colour"], "panels: expected some of values"),
        (["--out", "a.gif", "--env", "CartPole-v1"], "optimum: expected one of this package's"),
    ],
)
def test_wrong_input(
    flags: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        record.main(["--optimum", *flags])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_nobody_to_record(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        record.main(["--out", "a.gif"])
    assert "run: expected a run's folder, or --optimum, got neither" in capsys.readouterr().err


def test_mp4_without_its_encoder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(film, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        record.main(["--optimum", "--out", "a.mp4"])
    assert "pip install imageio-ffmpeg" in capsys.readouterr().err


def test_films_hold_and_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shades = [np.full((20, 30, 3), shade, dtype=np.uint8) for shade in (10, 90, 170)]
    from PIL import Image

    write_film(tmp_path / "a.gif", [Shot(shades[0]), Shot(shades[1], hold=True)], 4)
    with Image.open(tmp_path / "a.gif") as image:
        times = [(image.seek(k), image.info["duration"])[1] for k in range(2)]
    assert times == [250, 1250]
    monkeypatch.setattr(film, "MOST_FRAMES", 2)
    assert write_film(tmp_path / "b.gif", [Shot(shade) for shade in shades], 4) == 2
    with pytest.raises(ValueError, match="expected at least one, got none"):
        Film(4).write(tmp_path / "c.gif")
    with pytest.raises(ValueError, match="expected at least one, got none"):
        write_film(tmp_path / "c.png", [], 4)
    strange = Film(4)
    strange.add(shades[0])
    with pytest.raises(ValueError, match="expected one shape"):
        strange.add(shades[0][:5])


def test_sdl_says_nothing_where_no_window_is_opened() -> None:
    """It complained of a missing screen in the output of `record` and at the end of `train`."""
    code = """
import os
import gymnasium
from sidestep.scripts.viewer.env_pictures import off_screen
with off_screen():
    env = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    env.reset(seed=0)
    assert env.render().shape == (400, 600, 3)
    env.close()
assert "SDL_VIDEODRIVER" not in os.environ
"""
    hidden = ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")
    env = {k: v for k, v in os.environ.items() if k not in hidden}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
