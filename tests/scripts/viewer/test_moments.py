"""Days in the forms in which files have them, column by column."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from sidestep.scripts.sequences.moments import EPOCH, direction, read_clock, read_moments

FIRST_OF_MARCH = [
    *("2021/03/01", "2021.03.01", "2021. 03. 01.", "2021. 3. 1", "2021- 03- 01", "2021-3-1"),
    *("Mar 01, 2021", "1-Mar-21", "01 Mar 2021", "Monday, March 1, 2021", "1 mars 2021"),
    *("2021년 03월 01일", "2021년 3월 1일", "2021年3月1日", "1. März 2021", "20210301", "202103"),
    *("2021-03-01", "2021-03-01T00:00:00", "2021-03-01T09:00:00+09:00", "2021-03-01 12:00 AM"),
    *("2021-03", "03/2021", "March 2021", "Mar-21", "2021M03", "2021년 3월", "2021-W09", "21.3.1"),
    *("2021_03_01", "03.2021", "2021-060", "2021-Mar-01", "01Mar2021", "Mon Mar 1 00:00:00 2021"),
]


@pytest.mark.parametrize("cell", FIRST_OF_MARCH)
def test_one_day_in_many_forms(cell: str) -> None:
    moments = read_moments([cell])
    assert moments is not None and moments.days is not None
    assert EPOCH + timedelta(days=moments.days[0]) == datetime(2021, 3, 1)


@pytest.mark.parametrize(
    ("cell", "month"),
    [("2020Q4", 10), ("2020-Q2", 4), ("Q3 2020", 7), ("Q1'20", 1), ("2020 Q4", 10), ("2020H2", 7),
     ("2020년 4분기", 10), ("2020.3/4", 7)],
)  # fmt: skip
def test_quarters_and_halves(cell: str, month: int) -> None:
    moments = read_moments([cell])
    assert moments is not None and moments.days is not None
    assert EPOCH + timedelta(days=moments.days[0]) == datetime(2020, month, 1)


@pytest.mark.parametrize(
    "cell",
    ["mon", "May", "5", "1.5", "1749.042", "2021", "1614556800", "AAPL", "today", "10:30", "", "-5",
     "2021-13-01", "30/02/2021", "0000-00-00", "20211301", "99999999", "1e5", "2020Q5", "1 2 3"],
)  # fmt: skip
def test_what_is_no_day(cell: str) -> None:
    assert read_moments([cell]) is None


def test_times_of_the_day() -> None:
    moments = read_moments(["3/31/2021 16:00:00", "4/1/2021 4:30:30 PM", "4/1/2021 23:59:59.5"])
    assert moments is not None and moments.days is not None and not moments.doubt
    hours = (moments.days - moments.days[0]) * 24
    assert hours.tolist() == pytest.approx([0, 24.5083333, 31 + 59.9916667 / 60], abs=1e-5)
    clock = read_clock(["9:30", "16:00:00", "11:00 pm"])
    assert clock is not None and (clock * 24).tolist() == pytest.approx([9.5, 16, 23])
    assert read_clock(["9:30", "25:00"]) is read_clock(["9:61"]) is read_clock([]) is None


@pytest.mark.parametrize(
    ("cells", "days", "doubt"),
    [
        (["12/01/2021", "13/01/2021"], [0, 1], ""),  # 13 is no month: all have the day first
        (["01/12/2021", "01/13/2021"], [0, 1], ""),
        (["13/01/2021", "01/02/2021"], [0, 19], ""),
        (["28-02-2021", "01-03-2021"], [0, 1], ""),
        (["01/02/21", "01/03/21", "01/04/21"], [0, 1, 2], "may be month/day/year or"),
        (["03/01/2021", "04/01/2021", "05/01/2021"], [0, 1, 2], "may be day/month/year or"),
        (["1/1/70", "12/31/69"], [0, -1], ""),  # two digits of a year: 1970 and 1969
        (["12/31/68", "12/31/69"], [0, -36160], ""),  # 2068 and 1969
        (["02/01/2021", "01/02/2021"], None, "of which one runs backwards"),
    ],
)
def test_the_order_of_three_numbers_is_the_column_s(
    cells: list[str], days: list[float] | None, doubt: str
) -> None:
    moments = read_moments(cells)
    assert moments is not None and doubt in moments.doubt and bool(doubt) == bool(moments.doubt)
    if days is None:
        assert moments.days is None
    else:
        assert moments.days is not None
        assert (moments.days - moments.days[0]).tolist() == days


def test_no_order_fits_all() -> None:
    assert read_moments(["13/01/2021", "01/13/2021"]) is None
    assert read_moments(["2021-01-01", "01/13/2021"]) is None
    assert read_moments(["2021-01-01", ""]) is None


def test_direction() -> None:
    assert direction(np.array([1.0, 2, 2, 1, 0])) == (1, 2)
