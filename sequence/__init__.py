"""The memory: recurrent and attention layers whose state resets inside the batch."""

from .cells import GRUStep as GRUStep
from .cells import LSTMStep as LSTMStep
from .cells import RNNStep as RNNStep
from .cells import flip_update_gate as flip_update_gate
from .cells import gru_step as gru_step
from .cells import lstm_step as lstm_step
from .cells import rnn_step as rnn_step
from .layers import GRU as GRU
from .layers import LSTM as LSTM
from .layers import RNN as RNN
from .memory import MEMORIES as MEMORIES
from .memory import Memory as Memory
from .memory import NoMemory as NoMemory
from .memory import make_memory as make_memory
from .state import State as State
from .state import concatenate_states as concatenate_states
from .state import detach_state as detach_state
from .state import flatten_state as flatten_state
from .state import map_state as map_state
from .state import mask_state as mask_state
from .state import put_state as put_state
from .state import select_state as select_state
from .state import unflatten_state as unflatten_state
from .unroll import Trace as Trace
from .window_memory import WindowAttention as WindowAttention
