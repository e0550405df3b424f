"""What `sidestep check` says, in English and Korean."""

from typing import Literal

Language = Literal["en", "ko"]

WORDS: dict[str, dict[Language, str]] = {
    "right": {"en": "right: {inputs} of {inputs} inputs", "ko": "맞음: 입력 {inputs}개 모두"},
    "wrong": {
        "en": "wrong: {right} of {inputs} inputs are right",
        "ko": "틀림: 입력 {inputs}개 가운데 {right}개 맞음",
    },
    "not checked": {"en": "not checked", "ko": "검사하지 못함"},
    "case": {"en": "first wrong input, number {number}:", "ko": "처음 틀린 입력, {number}번:"},
    "expected": {"en": "expected", "ko": "기대한 값"},
    "got": {"en": "got", "ko": "나온 값"},
    "hint": {"en": "hint", "ko": "실마리"},
    "says": {"en": "your file printed:", "ko": "파일이 출력한 것:"},
    "part": {"en": "{part}: ", "ko": "{part}: "},
    "nothing": {
        "en": "returns nothing (None): is a return missing?",
        "ko": "아무것도 돌려주지 않습니다(None). return이 빠지지 않았나요?",
    },
    "type": {
        "en": "expected numbers, got {got}",
        "ko": "수가 나와야 합니다. 나온 것: {got}",
    },
    "count": {
        "en": "expected a tuple of {expected}, got {got}",
        "ko": "{expected}개짜리 튜플이 나와야 합니다. 나온 것: {got}",
    },
    "shape": {
        "en": "expected the shape {expected}, got {got}",
        "ko": "모양이 다릅니다. 기대한 모양: {expected}, 나온 모양: {got}",
    },
    "whole": {
        "en": "expected whole numbers, got {got}",
        "ko": "정수가 나와야 합니다. 나온 것: {got}",
    },
    "nan": {"en": "NaN{place}", "ko": "NaN이 나왔습니다{place}"},
    "numbers": {"en": "the numbers differ{place}", "ko": "수가 다릅니다{place}"},
    "place": {"en": ", first at {place}", "ko": " (처음 다른 곳: {place})"},
    "error": {"en": "{where}{error}", "ko": "{where}{error}"},
    "line": {"en": "line {line} of {file}: ", "ko": "{file} {line}번째 줄: "},
    "ended": {
        "en": "{where}it ended the program ({how})",
        "ko": "{where}프로그램을 끝냈습니다({how})",
    },
    "endless": {
        "en": "{where}still running after {seconds:g} s: a loop without end?",
        "ko": "{where}{seconds:g}초가 지나도 끝나지 않습니다. 끝나지 않는 반복문인가요?",
    },
    "broken": {"en": "{file} cannot be run", "ko": "{file}: 실행할 수 없습니다"},
    "missing": {
        "en": "missing: write {signature}",
        "ko": "함수가 없습니다. 쓸 것: {signature}",
    },
    "no function": {
        "en": "expected a function, got {got}",
        "ko": "함수가 아닙니다: {got}",
    },
    "arguments": {
        "en": "{where}expected the arguments ({expected}), got ({got})",
        "ko": "{where}인자가 다릅니다. 기대한 것: ({expected}), 나온 것: ({got})",
    },
    "unsteady": {
        "en": "the same input gave two results: random numbers, or something kept between calls?",
        "ko": "같은 입력에 결과가 둘 나왔습니다. 난수를 쓰거나 호출 사이에 무언가를 남기나요?",
    },
    "changed": {
        "en": "{names} must stay as it is, and was changed in place: work on a copy",
        "ko": "그대로 두어야 할 인자를 바꾸었습니다: {names}. 복사본을 쓰세요",
    },
    "changes": {
        "en": "note: it changes {names} in place",
        "ko": "참고: 인자를 그 자리에서 바꿉니다: {names}",
    },
    "all": {"en": "All right.", "ko": "모두 맞았습니다."},
    "list": {
        "en": "sidestep check NN FILE.py compares your functions with ours:",
        "ko": "sidestep check NN FILE.py 는 여러분의 함수를 우리 것과 비교합니다:",
    },
    "written": {
        "en": "Written: {file}. Fill it, then: {then}",
        "ko": "{file}: 썼습니다. 채운 다음 이렇게 검사하세요: {then}",
    },
}


def words(key: str, language: Language, **details: object) -> str:
    """A sentence in a language, its places filled."""
    return WORDS[key][language].format(**details)
