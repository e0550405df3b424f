"""GIFs: frames, times, loop, and never half a file."""

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
from PIL import Image

from sidestep.scripts.watching.gif import write_gif

FRAMES = [np.full((20, 30, 3), shade, dtype=np.uint8) for shade in (10, 80, 150, 220)]


def test_frames_times_and_loop(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    write_gif(path, FRAMES, fps=6, hold=[1, 3])
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
    write_gif(tmp_path / "a.gif", FRAMES[:1] * copies, fps=1000)
    assert imageio.imread(tmp_path / "a.gif", mode="RGB").shape[-3:] == (20, 30, 3)


def test_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.gif"
    write_gif(path, FRAMES, fps=5)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_gif(path, FRAMES[:2], fps=5)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.gif"]
    with pytest.raises(FileNotFoundError):
        write_gif(tmp_path / "missing" / "a.gif", FRAMES, fps=5)


def test_wrong_input(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    with pytest.raises(ValueError, match="frames: expected one shape, got no frames"):
        write_gif(path, [], fps=5)
    with pytest.raises(ValueError, match=r"expected one shape, got \[\(2, 3, 3\), \(20, 30, 3\)\]"):
        write_gif(path, [FRAMES[0], FRAMES[0][:2, :3]], fps=5)
    with pytest.raises(ValueError, match="fps: expected a positive number, got 0"):
        write_gif(path, FRAMES, fps=0)
    assert not path.exists()
