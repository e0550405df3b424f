"""GIFs: frames, times, loop, and never half a file."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

from sidestep.scripts.viewer.recording import Shot, write_film

FRAMES = [np.full((20, 30, 3), shade, dtype=np.uint8) for shade in (10, 80, 150, 220)]
SHOTS = [Shot(frame) for frame in FRAMES]


def test_frames_times_and_loop(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    shots = [Shot(frame, number in (1, 3)) for number, frame in enumerate(FRAMES)]
    assert write_film(path, shots, fps=6) == 4
    back = imageio.imread(path, index=None, mode="RGB")
    assert np.array_equal(back, np.stack(FRAMES))
    with Image.open(path) as image:
        assert image.info["loop"] == 0
        times = []
        for k in range(4):
            image.seek(k)
            times.append(image.info["duration"])
    assert times == [170, 1170, 170, 1170]
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]


@pytest.mark.parametrize("copies", [1, 3])
def test_one_picture(tmp_path: Path, copies: int) -> None:
    write_film(tmp_path / "a.gif", SHOTS[:1] * copies, fps=1000)
    assert imageio.imread(tmp_path / "a.gif", mode="RGB").shape[-3:] == (20, 30, 3)


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.gif"
    write_film(path, SHOTS, fps=5)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_film(path, SHOTS[:2], fps=5)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]
    with pytest.raises(FileNotFoundError):
        write_film(tmp_path / "missing" / "a.gif", SHOTS, fps=5)


def test_wrong_input(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    with pytest.raises(ValueError, match="frames: expected at least one, got none"):
        write_film(path, [], fps=5)
    with pytest.raises(ValueError, match=r"expected one shape, got \(30, 20\), \(3, 2\)"):
        write_film(path, [SHOTS[0], Shot(FRAMES[0][:2, :3])], fps=5)
    with pytest.raises(ValueError, match="fps: expected a positive number, got 0"):
        write_film(path, SHOTS, fps=0)
    assert not path.exists()
