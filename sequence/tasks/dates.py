"""The dates task: a day written in one of many English and Korean forms, to ISO 8601."""

import datetime
import random
import string
from collections.abc import Callable

from .pairs import Pair
from .task import Task

FIRST_YEAR, LAST_YEAR = 1950, 2049
"""A hundred years, so that two digits of a year mean one of them."""

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
KOREAN_WEEKDAYS = "월화수목금토일"
_ONES = (
    *("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    *("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth"),
    *("seventeenth", "eighteenth", "nineteenth", "twentieth"),
)
_KOREAN_DIGITS = ("", *"일이삼사오육칠팔구")

Day = datetime.date


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th, ... for 1 to 31."""
    ending = "th" if 11 <= number <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def spelled_ordinal(number: int) -> str:
    """First, second, ..., thirty-first in small letters."""
    if number <= 20:
        return _ORDINALS[number]
    if number == 30:
        return "thirtieth"
    return f"{_TENS[number // 10]}-{_ORDINALS[number % 10]}"


def spelled_number(number: int) -> str:
    """One to ninety-nine."""
    if number < 20:
        return _ONES[number]
    return _TENS[number // 10] + (f"-{_ONES[number % 10]}" if number % 10 else "")


def spelled_year(year: int) -> str:
    """The year as it is said: nineteen fifty, nineteen oh five, two thousand one, twenty ten."""
    century, rest = divmod(year, 100)
    if century == 20 and rest < 10:
        return f"two thousand {_ONES[rest]}".rstrip()
    if rest == 0:
        return f"{spelled_number(century)} hundred"
    return f"{spelled_number(century)} {'oh ' if rest < 10 else ''}{spelled_number(rest)}"


def korean_number(number: int) -> str:
    """Sino-Korean, 1 to 9999: 1987 is 천구백팔십칠. A digit one is not said before a power."""
    text = ""
    for power, name in ((1000, "천"), (100, "백"), (10, "십"), (1, "")):
        digit = number // power % 10
        if digit:
            text += ("" if digit == 1 and name else _KOREAN_DIGITS[digit]) + name
    return text


def korean_month(month: int) -> str:
    """일월 to 십이월; June and October lose their final consonant: 유월, 시월."""
    return {6: "유", 10: "시"}.get(month, korean_number(month)) + "월"


def _name(day: Day) -> str:
    return MONTHS[day.month - 1]


def _weekday(day: Day) -> str:
    return WEEKDAYS[day.weekday()]


ENGLISH: tuple[Callable[[Day], str], ...] = (
    lambda d: f"{_name(d)} {d.day}, {d.year}",
    lambda d: f"{d.day} {_name(d)} {d.year}",
    lambda d: f"{_name(d)[:3]} {d.day}, {d.year}",
    lambda d: f"{d.day:02}-{_name(d)[:3]}-{d.year % 100:02}",
    lambda d: f"{_name(d)} {ordinal(d.day)}, {d.year}",
    lambda d: f"the {ordinal(d.day)} of {_name(d)} {d.year}",
    lambda d: f"{_weekday(d)}, {_name(d)} {d.day}, {d.year}",
    lambda d: f"{_weekday(d)[:3]} {d.day} {_name(d)[:3]} {d.year}",
    lambda d: f"{d.month}/{d.day}/{d.year}",
    lambda d: f"{d.month:02}/{d.day:02}/{d.year % 100:02}",
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"{d.year}/{d.month:02}/{d.day:02}",
    lambda d: f"{d.year}{d.month:02}{d.day:02}",
    lambda d: f"{_name(d)} {spelled_ordinal(d.day)}, {spelled_year(d.year)}",
)
"""With slashes the month comes first unless the year does; with dots the day."""

KOREAN: tuple[Callable[[Day], str], ...] = (
    lambda d: f"{d.year}년 {d.month}월 {d.day}일",
    lambda d: f"{d.year}년 {d.month:02}월 {d.day:02}일",
    lambda d: f"{d.year}년 {d.month}월 {d.day}일 {KOREAN_WEEKDAYS[d.weekday()]}요일",
    lambda d: f"{d.year}. {d.month}. {d.day}.",
    lambda d: f"{d.year}. {d.month}. {d.day}.({KOREAN_WEEKDAYS[d.weekday()]})",
    lambda d: f"{d.year % 100:02}년 {d.month}월 {d.day}일",
    lambda d: f"{korean_number(d.year)}년 {korean_month(d.month)} {korean_number(d.day)}일",
)

_SYMBOLS = tuple(
    dict.fromkeys(
        string.digits
        + string.ascii_letters
        + " ,.-/()"
        + "년월일요"
        + KOREAN_WEEKDAYS
        + "일이삼사오육칠팔구십백천유시"
    )
)
MAX_SOURCE = 64


def dates() -> Task:
    """A day between 1950 and 2049 in one of 21 forms, character by character, to YYYY-MM-DD.

    A Korean form is as likely as an English one. Some English forms stand in small or in capital
    letters. No day of one split occurs in another in any form.
    """
    first = Day(FIRST_YEAR, 1, 1).toordinal()
    last = Day(LAST_YEAR, 12, 31).toordinal()

    def draw(rng: random.Random) -> Pair:
        day = Day.fromordinal(rng.randint(first, last))
        text = rng.choice(rng.choice((ENGLISH, KOREAN)))(day)
        text = rng.choices((text, text.lower(), text.upper()), (8, 1, 1))[0]
        return Pair(tuple(text), tuple(day.isoformat()))

    return Task(
        "dates", draw, _SYMBOLS, (*string.digits, "-"), MAX_SOURCE, 10, list, "".join, "".join
    )
