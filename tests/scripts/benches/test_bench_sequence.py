"""`sidestep bench sequence` on a GPU: the page it writes, and the error where there is none."""

from pathlib import Path

import pytest
import torch

from sidestep.scripts.benches import sequence


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        sequence.main(["--device", "cuda"])
    assert left.value.code == 2
    assert "device: expected a GPU that torch can use, got none" in capsys.readouterr().err


def test_the_page_of_a_gpu(tmp_path: Path) -> None:
    row = {
        "cell": "GRU",
        "shape": [7, 5, 3, 17],
        "ms": {"cudnn": 2.0, "ours": 1.0, "cudnn graph": 0.5, "ours graph": 0.25},
        "ratio": {"eager": 0.5, "graph": 0.5},
        "failed": {"ours bf16": "RuntimeError"},
    }
    words = {"device": "a card", "torch": "1", "triton": "2", "reset_rate": 0.02}
    sequence.write_gpu(sequence.Options(tmp_path), {**words, "rows": [row]}, "a command")
    page = (tmp_path / "results.md").read_text()
    line = "| GRU | 7, 5, 3, 17 | 2.000 | 1.000 | 0.50 | 0.500 | 0.250 | 0.50 | - | - |"
    assert line in page and "one a card" in page and "Made by `a command`" in page
