"""RNN, LSTM and GRU whose state resets inside the batch: a file a cell, with its derivative."""

from .gru import GRU as GRU
from .lstm import LSTM as LSTM
from .rnn import RNN as RNN
