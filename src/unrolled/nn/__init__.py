"""Recurrent layers in PyTorch whose every state can be seen by name."""

from . import _requirements  # noqa: F401  must come first
from ._additive_attention import AdditiveAttention as AdditiveAttention
from ._attention import Attended as Attended
from ._attention import Attention as Attention
from ._bridge import Bridge as Bridge
from ._bridge_map import BridgeLine as BridgeLine
from ._bridge_map import BridgeMap as BridgeMap
from ._bridge_map import FinalState as FinalState
from ._concat_attention import ConcatAttention as ConcatAttention
from ._dot_attention import DotAttention as DotAttention
from ._embedded_run import run_embedded as run_embedded
from ._engine import current_engine as current_engine
from ._engine import engine as engine
from ._engine import engine_names as engine_names
from ._engine import may_call_kernels as may_call_kernels
from ._general_attention import GeneralAttention as GeneralAttention
from ._gru import GRU as GRU
from ._gru_cell import GRUCell as GRUCell
from ._layer_run import engine_for as engine_for
from ._lstm import LSTM as LSTM
from ._lstm_cell import LSTMCell as LSTMCell
from ._quantization_report import QuantizationReport as QuantizationReport
from ._quantization_report import StateError as StateError
from ._quantized_layer import QuantizedLayer as QuantizedLayer
from ._rnn import RNN as RNN
from ._rnn_cell import RNNCell as RNNCell
from ._stack_cache import stack_of as stack_of
from ._stream import Stream as Stream
from ._watched import is_watched as is_watched
