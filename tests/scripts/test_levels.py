"""`sidestep levels` draws every named level, and its page is the one in docs/."""

from pathlib import Path

import imageio.v3 as imageio
import pytest

from sidestep.envs.levels.shipped import LEVELS
from sidestep.scripts.cli import main
from sidestep.scripts.levels import CAPTION, TILE


def test_picture_and_page(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    main(["levels", "--out", str(tmp_path), "--columns", "4"])
    picture = imageio.imread(tmp_path / "figures" / "levels.png")
    assert picture.shape == (-(-len(LEVELS) // 4) * (TILE + CAPTION), 4 * TILE, 3)
    page = (tmp_path / "levels.md").read_text(encoding="utf-8")
    assert all(f"| `{name}` |" in page and sentence in page for name, sentence in LEVELS.items())
    kept = request.config.rootpath / "docs" / "levels.md"
    assert page == kept.read_text(encoding="utf-8")


def test_wrong_number_of_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["levels", "--columns", "0"])
    assert caught.value.code == 2
    assert "columns: expected 1 to 20, got 0" in capsys.readouterr().err
