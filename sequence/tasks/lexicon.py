"""Words of the word-order task, and Korean from how it is written to tokens and back."""

import re
from collections.abc import Iterable
from typing import NamedTuple

PARTICLES = (
    *("에게", "에서", "은", "는", "이", "가", "을", "를", "의", "와", "과", "고"),
    *(".", "?"),
)
"""What is written without a space before it; longer ones first."""

NAMES = {"민수": "Minsu", "수지": "Suzy", "지훈": "Jihun", "유진": "Yujin", "톰": "Tom"}
PRONOUNS = {  # subject with 은/는, then English subject and object
    "나": ("I", "me"),
    "우리": ("we", "us"),
    "그": ("he", "him"),
    "그녀": ("she", "her"),
    "그들": ("they", "them"),
}
BEINGS = {
    **{"고양이": "cat", "개": "dog", "학생": "student", "선생님": "teacher", "친구": "friend"},
    **{"의사": "doctor", "아이": "child", "할머니": "grandmother", "형": "brother"},
}
THINGS = {
    "reading": {"책": "book", "편지": "letter", "신문": "newspaper", "시": "poem"},
    "food": {"사과": "apple", "빵": "bread", "밥": "rice", "생선": "fish"},
    "drink": {"물": "water", "커피": "coffee", "우유": "milk", "차": "tea"},
    "thing": {"사진": "picture", "꽃": "flower", "모자": "hat", "가방": "bag", "시계": "watch"},
}
PLACES = {
    **{"학교": "school", "도서관": "library", "공원": "park", "시장": "market", "병원": "hospital"},
    **{"역": "station", "바다": "sea"},
}
ADJECTIVES = {
    **{"작은": "small", "큰": "big", "새": "new", "낡은": "old", "예쁜": "pretty", "하얀": "white"},
    **{"빨간": "red", "비싼": "expensive"},
}
TIMES = {
    "past": {"어제": "yesterday", "오늘": "today", "아침에": "in the morning"},
    "present": {"지금": "now", "매일": "every day", "오늘": "today"},
    "future": {"내일": "tomorrow", "오늘": "today", "저녁에": "in the evening"},
}


class Verb(NamedTuple):
    """Forms: past, present, before 지 and 니, before 것이다; English base, third person, past."""

    past: str
    present: str
    stem: str
    adnominal: str
    base: str
    third: str
    english_past: str
    objects: tuple[str, ...]
    gives: bool = False


_VERBS = """
읽었다 읽는다 읽 읽을 | read | reads | read | reading
썼다 쓴다 쓰 쓸 | write | writes | wrote | reading
먹었다 먹는다 먹 먹을 | eat | eats | ate | food
마셨다 마신다 마시 마실 | drink | drinks | drank | drink
샀다 산다 사 살 | buy | buys | bought | reading food drink thing
찾았다 찾는다 찾 찾을 | find | finds | found | reading thing being
보았다 본다 보 볼 | see | sees | saw | reading thing being
좋아했다 좋아한다 좋아하 좋아할 | like | likes | liked | reading food drink thing being
만났다 만난다 만나 만날 | meet | meets | met | being
도왔다 돕는다 돕 도울 | help | helps | helped | being
기다렸다 기다린다 기다리 기다릴 | wait for | waits for | waited for | being
그렸다 그린다 그리 그릴 | draw | draws | drew | thing being
주었다 준다 주 줄 | give | gives | gave | reading food drink thing | gives
보냈다 보낸다 보내 보낼 | send | sends | sent | reading thing | gives
팔았다 판다 파 팔 | sell | sells | sold | reading food drink thing | gives
"""


def _verb(line: str) -> Verb:
    korean, base, third, said, objects, *gives = (part.strip() for part in line.split("|"))
    past, present, stem, adnominal = korean.split()
    kinds = tuple(objects.split())
    return Verb(past, present, stem, adnominal, base, third, said, kinds, bool(gives))


VERBS = tuple(_verb(line) for line in _VERBS.strip().split("\n"))
DENIED = {"past": "않았다", "present": "않는다", "future": "않을"}
REPORTS = {"말했다": ("said", "said"), "믿는다": ("believe", "believes")}
FUTURE, FUTURE_ASKED, FUTURE_REPORTED = "것이다", "거니", "것이라"


def _korean_words() -> tuple[str, ...]:
    """Every Korean token but particles."""
    words = [*NAMES, *PRONOUNS, "내", *BEINGS, *PLACES, *ADJECTIVES, *REPORTS]
    words += [noun for kind in THINGS.values() for noun in kind]
    words += [time for tense in TIMES.values() for time in tense]
    for verb in VERBS:
        words += [verb.past, f"{verb.past[:-1]}니", verb.present, f"{verb.stem}니"]
        words += [f"{verb.stem}지", verb.adnominal]
    words += [*DENIED.values(), "않았니", "않니", FUTURE, FUTURE_ASKED, FUTURE_REPORTED]
    return tuple(dict.fromkeys(words))


def _english_words() -> tuple[str, ...]:
    """Every English token."""
    tables = [NAMES, BEINGS, PLACES, ADJECTIVES, *THINGS.values(), *TIMES.values()]
    phrases = [word for table in tables for word in table.values()]
    phrases += [form for forms in (*PRONOUNS.values(), *REPORTS.values()) for form in forms]
    phrases += [form for verb in VERBS for form in (verb.base, verb.third, verb.english_past)]
    phrases += ["the and to at 's that not did do does will . ?"]
    return tuple(dict.fromkeys(word for phrase in phrases for word in phrase.split()))


_WORDS = _korean_words()
KOREAN_SYMBOLS = (*_WORDS, *PARTICLES)
ENGLISH_SYMBOLS = _english_words()


def has_final_consonant(syllable: str) -> bool:
    """Whether a Hangul syllable ends in a consonant: 28 endings each, the first is none."""
    return (ord(syllable) - 0xAC00) % 28 != 0


def korean_text(tokens: Iterable[str]) -> str:
    """Tokens as Korean is written: particles joined to their words."""
    text = ""
    for token in tokens:
        text += token if token in PARTICLES or not text else f" {token}"
    return text


def split_korean(text: str) -> list[str]:
    """Korean as it is written to tokens: particles behind known words, and marks, are split off."""
    tokens = []
    for word in re.findall(r"[^\s.?!,]+|[.?!,]", text):
        if word not in _WORDS:
            for ending in PARTICLES:
                if word.endswith(ending) and word[: -len(ending)] in _WORDS:
                    tokens.append(word[: -len(ending)])
                    word = ending
                    break
        tokens.append(word)
    return tokens


def english_text(tokens: Iterable[str]) -> str:
    """English tokens as a line: no space before a mark and before 's, a capital first."""
    text = re.sub(r" ([.?]|'s\b)", r"\1", " ".join(tokens))
    return text[:1].upper() + text[1:]


def split_english(text: str) -> list[str]:
    """English as it is written to tokens: marks and 's are split off, and the first word is small.

    A first word that is known with its capital, such as a name or I, keeps it.
    """
    tokens = re.findall(r"'s\b|[^\s.?!,']+|[.?!,']", text.replace("\u2019", "'"))
    if tokens and tokens[0] not in ENGLISH_SYMBOLS:
        small = tokens[0][:1].lower() + tokens[0][1:]
        tokens[0] = small if small in ENGLISH_SYMBOLS else tokens[0]
    return tokens
