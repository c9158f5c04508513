"""Recurrent layers in PyTorch whose every state can be seen by name."""

from ._engine import current_engine as current_engine
from ._engine import engine as engine
from ._engine import engine_names as engine_names
from ._gru import GRU as GRU
from ._lstm import LSTM as LSTM
from ._recurrent_cell import GRUCell as GRUCell
from ._recurrent_cell import LSTMCell as LSTMCell
from ._recurrent_cell import RNNCell as RNNCell
from ._rnn import RNN as RNN
