"""The memory: recurrent and attention layers whose state resets inside the batch."""

import sys as _sys

from .layers import GRU as GRU
from .layers import LSTM as LSTM
from .layers import RNN as RNN
from .layers import steps
from .layers.forcing import force_gates as force_gates
from .layers.forcing import trace_forced as trace_forced
from .layers.inspection import Chain as Chain
from .layers.inspection import GateStatistics as GateStatistics
from .layers.inspection import gate_statistics as gate_statistics
from .layers.inspection import gradient_flow as gradient_flow
from .layers.inspection import toy_chain as toy_chain
from .layers.recurrent import Recurrent as Recurrent
from .layers.recurrent import Trace as Trace
from .layers.steps import GRUStep as GRUStep
from .layers.steps import LSTMStep as LSTMStep
from .layers.steps import RNNStep as RNNStep
from .layers.steps import flip_update_gate as flip_update_gate
from .layers.steps import gru_step as gru_step
from .layers.steps import lstm_step as lstm_step
from .layers.steps import rnn_step as rnn_step
from .memory.attention_window import WindowAttention as WindowAttention
from .memory.memory import Memory as Memory
from .memory.memory import NoMemory as NoMemory
from .memory.packing import Packing as Packing
from .memory.packing import pack_episodes as pack_episodes
from .memory.registering import register_memory as register_memory
from .memory.table import MEMORIES as MEMORIES
from .memory.table import Look as Look
from .memory.table import MemoryKind as MemoryKind
from .memory.table import make_memory as make_memory
from .models import forecasting, language, markov
from .models.attention import Attended as Attended
from .models.attention import Attention as Attention
from .models.attention import ProjectedMemory as ProjectedMemory
from .models.attention import masked_softmax as masked_softmax
from .models.beams import Hypothesis as Hypothesis
from .models.decoding import beam_search as beam_search
from .models.decoding import greedy as greedy
from .models.decoding import sample as sample
from .models.seq2seq import Seq2Seq as Seq2Seq
from .models.seq2seq_config import Seq2SeqConfig as Seq2SeqConfig
from .state import State as State
from .state import concatenate_states as concatenate_states
from .state import detach_state as detach_state
from .state import flatten_state as flatten_state
from .state import map_state as map_state
from .state import mask_state as mask_state
from .state import put_state as put_state
from .state import select_state as select_state
from .state import unflatten_state as unflatten_state
from .tasks import pairs
from .tasks.pairs import Pair as Pair
from .tasks.pairs import TokenVocabulary as TokenVocabulary

_sys.modules.update(  # their names of before, for one version
    {
        f"{__name__}.autoregressive": markov,
        f"{__name__}.cells": steps,
        f"{__name__}.forecasting": forecasting,
        f"{__name__}.language": language,
        f"{__name__}.pairs": pairs,
    }
)
