"""Files that a user named: pipes, devices and giants are refused before anything is read."""

import os
import socket
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from sidestep.envs import WorldConfig
from sidestep.envs.files import read_regular
from sidestep.envs.levels.shipped import MOST_BYTES, find_level
from sidestep.envs.rules.grid import MAX_SIDE


def refused(path: Any, most: int = 1000) -> str:
    with pytest.raises(ValueError) as error:
        read_regular(path, most)
    return str(error.value)


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    file, link = tmp_path / "a", tmp_path / "b"
    content = bytes(range(256)) * 3 + b"\r\n\x1a"
    file.write_bytes(content)
    link.symlink_to(file)
    for path in (file, str(file), link):
        assert read_regular(path, len(content)) == content
        assert refused(path, len(content) - 1) == "expected at most 770 bytes, got 771"
    file.write_bytes(b"")
    assert read_regular(file, 0) == b""


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.txt", tmp_path / "link.txt"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    for path in (pipe, link):  # would wait for a writer for ever
        assert refused(path) == "expected a regular file, got a named pipe"
    for path in ("/dev/zero", "/dev/null", "/dev/urandom"):
        assert refused(path) == "expected a regular file, got a device"
    assert refused(tmp_path) == "expected a regular file, got a folder"
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(tmp_path / "s"))
        assert refused(tmp_path / "s") == "expected a regular file, got a socket"
    for path in ("a\0b", "\ud800"):
        assert refused(path) == "expected the path of a file, got one that no file can have"
    with pytest.raises(FileNotFoundError):
        read_regular(tmp_path / "none", 1)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux's own files")
def test_files_that_say_they_are_empty() -> None:
    """The kernel's files have the size 0 and content all the same."""
    assert os.stat("/proc/self/maps").st_size == 0
    assert refused("/proc/self/maps", 10) == "expected at most 10 bytes, got more"


def test_a_pipe_that_takes_the_file_s_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening: refused by the second look, without waiting."""
    file, pipe = tmp_path / "file", tmp_path / "pipe"
    file.write_text("S.G")
    os.mkfifo(pipe)
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags: real(pipe, flags))
    assert refused(file) == "expected a regular file, got a named pipe"


def test_giants_cost_nothing(tmp_path: Path) -> None:
    giant = tmp_path / "giant.txt"
    with giant.open("wb") as file:
        file.truncate(2**40)
    tracemalloc.start()
    assert refused(giant, 100) == "expected at most 100 bytes, got 1,099,511,627,776"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.slow
def test_levels_of_pipes_devices_and_giants(tmp_path: Path) -> None:
    """Everywhere a level is named: a configuration, `gym.make`, an option of `reset`."""
    pipe, giant, largest = (tmp_path / f"{name}.txt" for name in ("pipe", "giant", "largest"))
    os.mkfifo(pipe)
    with giant.open("wb") as file:
        file.truncate(300 * 2**20)
    env = gym.make("sidestep.envs:sidestep/MovingObstacles-v0")
    ways = (
        find_level,
        lambda level: WorldConfig(level=level),
        lambda level: WorldConfig(levels=(level,)),
        lambda level: gym.make("sidestep/MovingObstacles-v0", level=level),
        lambda level: env.reset(options={"level": level}),
    )
    words = {
        pipe: "expected a regular file, got a named pipe",
        Path("/dev/zero"): "expected a regular file, got a device",
        tmp_path: "expected a regular file, got a folder",
        giant: f"expected at most {MOST_BYTES:,} bytes, got 314,572,800",
    }
    for way in ways:
        for path, message in words.items():
            for source in (path, str(path)):
                with pytest.raises(ValueError) as error:
                    way(source)
                assert str(error.value) == f"level file {str(path)!r}: {message}"
    side = MAX_SIDE - 2
    rows = ["S" + "." * side + "G", *["." * (side + 2)] * (MAX_SIDE - 1)]
    largest.write_text("\r\n".join(rows) + "\r\n", encoding="utf-8-sig")
    assert find_level(largest).height == MAX_SIDE  # the largest level is read


LEVELS_WITH_SURROGATES = ["S.\ud800G", "\ud800", "S.G\n\udcff..", "a\ud800/b.txt", "\udfff.txt"]


@pytest.mark.parametrize("level", LEVELS_WITH_SURROGATES)
def test_lone_surrogates(level: str) -> None:
    """Refused as one line that any terminal and file can take."""
    for way in (find_level, lambda level: WorldConfig(level=level)):
        with pytest.raises(ValueError, match=r"level.*: expected .*, got ") as error:
            way(level)
        assert type(error.value) is ValueError
        str(error.value).encode("ascii")
        assert "\n" not in str(error.value)


def test_a_process_is_told_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    code = f"from sidestep.envs.levels.shipped import find_level; find_level({str(pipe)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.endswith("expected a regular file, got a named pipe\n")
