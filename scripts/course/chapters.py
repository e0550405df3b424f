"""The chapters that have exercises: a row each."""

from sidestep.scripts.course import (
    attention,
    forecasting,
    gradients,
    gru,
    language,
    lstm,
    memory,
    policy,
    rnn,
    sarsa,
    seq2seq,
    sequences,
)
from sidestep.scripts.course.exercise import Chapter

CHAPTERS: dict[str, Chapter] = {
    "01": sequences.CHAPTER,
    "02": rnn.CHAPTER,
    "03": gradients.CHAPTER,
    "04": lstm.CHAPTER,
    "05": gru.CHAPTER,
    "06": language.CHAPTER,
    "07": forecasting.CHAPTER,
    "08": seq2seq.CHAPTER,
    "09": attention.CHAPTER,
    "10": sarsa.CHAPTER,
    "11": policy.CHAPTER,
    "12": memory.CHAPTER,
}
"""By the number that a chapter's page begins with."""
