"""CSV files as others write them: what is read, what is told, what is refused."""

import json
import math
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from sidestep.scripts import forecast, lm, translate
from sidestep.scripts.sequences.forecast_figures import forecast_figure
from sidestep.scripts.sequences.forecast_task import ForecastConfig, ForecastTask, measure
from sidestep.scripts.sequences.series import Series, read_series
from sidestep.sequence.fitting.fitter import FittingConfig


def read(folder: Path, text: str | bytes, *options: str | None) -> Series:
    path = folder / "x.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_series(path, *options)


NEWEST_FIRST = [
    *("2021/03/02 2021/03/01", "2021.03.02 2021.03.01", "1-Mar-21 28-Feb-21", "2021 2020"),
    *("03/02/21 03/01/21", "01-03-2021 28-02-2021", "1961-01 1960-12", "2021Q1 2020Q4"),
    *("20210301 20210228", "2021-03-02 2021-03-02 2021-03-01", "202103 202102"),
    *("Mar_02,_2021 Mar_01,_2021", "2021-_03-_02 2021-_03-_01", "2021년_3월_2일 2021년_3월_1일"),
    *("3/1/2021_16:00:00 3/1/2021_15:00:00", "1._März_2021 28._Feb_2021", "16:00 15:59"),
    "2021-03-05 2021-03-04 2021-03-04 2021-03-05 2021-03-03 2021-03-02",
]  # fmt: skip


@pytest.mark.parametrize("days", NEWEST_FIRST)
def test_the_newest_row_first_is_refused(days: str, tmp_path: Path) -> None:
    cells = [cell.replace("_", " ") for cell in days.split()]
    rows = [f'"{cell}",{k}' for k, cell in enumerate(cells)]
    with pytest.raises(ValueError, match="expected the oldest row first, got column 'day'"):
        read(tmp_path, "day,x\n" + "\n".join(rows))
    with pytest.raises(ValueError, match="falling from"):  # wherever the days stand
        read(tmp_path, "x,n,time\n" + "\n".join(f'{k},a,"{c}"' for k, c in enumerate(cells)), "x")
    turned = read(tmp_path, "day,x\n" + "\n".join(reversed(rows)))
    assert turned.values.tolist() == list(range(len(cells)))[::-1]


def test_the_day_in_one_column_and_the_hour_in_another(tmp_path: Path) -> None:
    text = "day,hour,x\n2021-03-01,15:00,1\n2021-03-01,16:00,2\n2021-03-02,09:00,3\n"
    series = read(tmp_path, text, "x")
    assert (np.diff(series.times()) * 24).tolist() == pytest.approx([1, 17]) and series.dated()
    with pytest.raises(ValueError, match="falling from"):
        read(tmp_path, "day,hour,x\n2021-03-01,16:00,1\n2021-03-01,15:00,2\n", "x")


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("day,x\nmon,1\ntue,2\n", "Column 'day' is not read as time: the rows are taken in the"),
        ("x\n1\n2\n", "No column has the time: the rows are taken in the order of the file, the"),
        ("day,x\n2021-01-01,1\n,2\n", "Column 'day' is not read as time"),
        ("d,x\n02/01/2021,1\n01/02/2021,2\n", "may be month/day/year or day/month/year, of which"),
        ("d,x\n01/02/2021,1\n01/03/2021,2\n", "may be month/day/year or day/month/year; read as"),
        ("d,x\n2021-01-01,1\n2021-01-03,1\n2021-01-02,5\n2021-01-04,3\n", "goes back in 1 of 4"),
        ("d,x\n3,1\n2,1\n3,1\n", "Column 'd' is not read as time"),
        ("d,x\n2021-01-01,1\n2021-01-01,2\n", "Column 'd' is the same in all rows: the rows are"),
        ("station,x\n101,1\n101,2\n", "Column 'station' is the same in all rows"),
        ("s,x\nnorth,1\nnorth,2\n", "Column 's' is not read as time"),
        ("t,x\n9,1\n8,2\n8.5,3\n2,4\n", "Column 't' is not read as time"),
        ("d,x\n2021-01-01,1\n2021-01-01,2\n2021-01-02,2\n", ""),
        ("d,x\n1,1\n2,2\n", ""),
        ("t,x\n2021-12-30,1\n2021-12-31,2\n", ""),
    ],
)
def test_one_line_says_which_way_time_was_read(text: str, remark: str, tmp_path: Path) -> None:
    found = read(tmp_path, text).remark
    assert remark in found and bool(remark) == bool(found) and "\n" not in found


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("d,price\n2021-01-04,78,000\n", None, "row 2: expected 2 cells as in the header, got 3"),
        ("price\n12,5\n", None, "row 2: expected 1 cell as in the header, got 2: '12', '5'"),
        ("a,b,c\n1,2,3\n4,5\n", "b", "row 3: expected 3 cells as in the header, got 2"),
        ("d;price\n2021-01-04;12,5\n", None, "expected a number, got '12,5'; a number takes a"),
        ("2021-01-01,5.3\n2021-01-02,5.4\n", None, "column names in row 1, got '2021-01-01'"),
        ("20210101,a,5\n20210102,b,6\n", "5", "expected column names in row 1, got '20210101'"),
        ("Mar-21,5.3\nApr-21,5.4\n", None, "expected column names in row 1, got 'Mar-21'"),
        ("1700,a,5\n1701,b,6\n", "5", "expected column names in row 1, got '1700'"),
        ("a,5\na,6\n", None, "expected column names in row 1, got '5'"),
        ("a,5\na,6\n", "5", "expected column names in row 1, got '5'"),
        ("x\n1e301\n", None, "column 'x': expected a number of at most 1e+300 in size, got 1e301"),
        ("d,x\n1,5\n2,7\u20287\n", None, "row 3, column 'x': expected a number, got"),
    ],
)  # fmt: skip
def test_what_would_be_read_wrongly_is_refused(
    text: str, column: str | None, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError) as caught:
        read(tmp_path, text, column)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["d,x\n1,5\u2028\n2,6\n", "d,x\r1,5\r2,6\r", "d;x\n1;5\n2;6", "d\tx\n1\t5\t\n2\t6\t\n",
     "d,x,\n1,5,\n2,6,\n", "x,d\n5,20210101\n6,20210102", 'd,x\n"1\u0085",5\n"2",6\n\n , \n'],
)  # fmt: skip
def test_what_is_read_as_it_stands(text: str, tmp_path: Path) -> None:
    series = read(tmp_path, text, "x" if text.startswith("x") else None)
    assert series.name == "x" and series.values.tolist() == [5, 6]


def test_of_two_columns_the_one_without_days_is_meant(tmp_path: Path) -> None:
    assert read(tmp_path, "x,d\n5,20210101\n6,20210102").values.tolist() == [5, 6]


def test_years_as_names_are_names(tmp_path: Path) -> None:
    assert read(tmp_path, "country,2020,2021\nA,5,6\nB,7,8\n", "2021").values.tolist() == [6, 8]


@pytest.mark.parametrize(
    ("encoding", "name", "told"),
    [
        ("utf-16", "종가", ""),
        ("utf-32", "종가", ""),
        ("utf-16-le", "price", "utf-16-le"),
        ("utf-16-be", "price", "utf-16-be"),
        ("latin-1", "Köln °C", "cp1252"),
        ("cp1252", "Preis in €", "cp1252"),
        ("cp949", "종가", "euc_kr"),
        ("cp949", "똠방각하", "cp949"),  # a syllable that EUC-KR lacks
        ("utf-8-sig", "종가", ""),
    ],
)
def test_encodings(encoding: str, name: str, told: str, tmp_path: Path) -> None:
    series = read(tmp_path, f"day,{name}\r\n2021-01-01,5\r\n2021-01-02,6\r\n".encode(encoding))
    assert series.name == name and series.values.tolist() == [5, 6] and series.time == "day"
    assert (f"is not in UTF-8; read as {told}" in series.remark) if told else not series.remark


def test_what_a_terminal_would_obey_is_a_name_like_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("day,a\x1b[2J\n" + "\n".join(f"{k},{k % 7}" for k in range(90)))
    options = "--hidden-size 5 --length 13 --rows 3 --horizon 4 --window 3 --updates 2".split()
    forecast.main([str(path), "--out", str(tmp_path / "run"), *options])
    printed = capsys.readouterr().out
    assert "a\u241b[2J: errors on the last" in printed and "\x1b" not in printed
    path.write_text("day,a\x1b[2J\n2,1\n1,2\n")
    with pytest.raises(SystemExit):
        forecast.main([str(path), "--column", "\x1b"])
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/dev/zero", "fifo", "."])
def test_what_might_never_end_is_not_read(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    for main, words in ((forecast.main, []), (lm.main, ["train"]), (translate.main, ["train"])):
        with pytest.raises(SystemExit) as stop:
            main([*words, path])
        error = capsys.readouterr().err
        assert stop.value.code == 2 and f"{path}: expected a regular file, got a" in error


def test_an_encoding_that_is_named(tmp_path: Path) -> None:
    data = "日付,終値\n2021-03-01,5\n2021-03-02,6\n".encode("cp932")
    assert read(tmp_path, data, "終値", "cp932").values.tolist() == [5, 6]
    for encoding in ("ascii", "nope", "hex"):
        with pytest.raises(ValueError, match=f"in the encoding {encoding}, got"):
            read(tmp_path, data, None, encoding)
    with pytest.raises(ValueError, match="got a binary file"):
        read(tmp_path, b"\x89PNG\r\n\x1a\n,,\n1,2,3")


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_names_in_either_normal_form(forms: tuple[str, str], tmp_path: Path) -> None:
    text = unicodedata.normalize(forms[0], "day,종가\n1,5\n2,6\n")
    assert read(tmp_path, text, unicodedata.normalize(forms[1], "종가")).values.tolist() == [5, 6]


def test_days_are_drawn_as_days(tmp_path: Path) -> None:
    wave = [f"{math.sin(k / 2.3) + 3:.3f}" for k in range(90)]
    days = [f"2021{month:02}{day:02}" for month in (1, 3, 5) for day in range(1, 31)]
    text = "day,x\n" + "\n".join(map(",".join, zip(days, wave, strict=True)))
    series = read(tmp_path, text)
    assert series.times()[0] == 18628 and series.times()[-1] == 18628 + 149 and series.dated()
    config = ForecastConfig(window=3, hidden_size=5, horizon=4)
    task = ForecastTask(series, config, FittingConfig())
    axes = forecast_figure(task, measure(task), "x").subfigs[0].axes[0]
    words = axes.xaxis.get_major_formatter().format_ticks(axes.xaxis.get_major_locator()())
    assert {"Feb", "Apr"} <= set(words)


@pytest.mark.parametrize(
    ("scale", "shift"), [(1e-13, 0), (1e-300, 0), (1e160, 0), (9e299, 0), (1e-10, 1), (1e-4, 1e9)]
)
def test_figures_do_not_depend_on_the_scale(scale: float, shift: float, tmp_path: Path) -> None:
    random, skills = np.random.default_rng(0), []
    wave = np.sin(np.arange(90) / 3) + random.normal(0, 0.1, 90)
    wave /= np.abs(wave).max()
    options = "--hidden-size 5 --length 13 --rows 3 --horizon 4 --window 3 --updates 2".split()
    for number, values in enumerate((wave, wave * scale + shift)):
        path, folder = tmp_path / f"{number}.csv", tmp_path / str(number)
        path.write_text("x\n" + "\n".join(repr(float(value)) for value in values))
        forecast.main([str(path), "--out", str(folder), *options])
        report = json.loads((folder / "forecast.json").read_text())
        rows = report["test"]
        assert rows["AR(3)"]["rmse"] == pytest.approx(0.1665 * (scale if number else 1), rel=0.01)
        skills.append([rows[name]["skill"] for name in ("AR(3)", "latent GRU")])
        assert all(map(math.isfinite, report["beyond"]["latent GRU"]["high"]))
    assert skills[0] == pytest.approx(skills[1], abs=2e-3)


def test_what_follows_is_of_quite_another_size(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("x\n" + "1\n2\n" * 40 + "1e60\n2\n" * 3)
    series = read_series(path)
    with pytest.raises(ValueError, match=r"expected values within 1e\+12 deviations .* number 81"):
        ForecastTask(series, ForecastConfig(), FittingConfig())
