"""String-to-string models: an encoder's output as memory, its hidden_state to start the decoder."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _requirements  # noqa: F401  must come first
from ._architecture import Architecture as Architecture
from ._architecture import build as build
from ._batch import Batch as Batch
from ._columns import Columns as Columns
from ._corpus import Corpus as Corpus
from ._decoder import AttentionDecoder as AttentionDecoder
from ._decoder import Decoded as Decoded
from ._decoder_state import DecoderState as DecoderState
from ._directory import FORMAT_VERSION as FORMAT_VERSION
from ._encoder import Encoded as Encoded
from ._encoder import Encoder as Encoder
from ._evaluation import Mistake as Mistake
from ._evaluation import Scores as Scores
from ._evaluation import evaluate as evaluate
from ._hypothesis import Hypothesis as Hypothesis
from ._loss import SequenceLoss as SequenceLoss
from ._model import Seq2Seq as Seq2Seq
from ._pairs import Pair as Pair
from ._pairs import read_pairs as read_pairs
from ._prediction import Prediction as Prediction
from ._references import References as References
from ._references import read_references as read_references
from ._search import beam_search as beam_search
from ._search import greedy_search as greedy_search
from ._special import BEGIN as BEGIN
from ._special import END as END
from ._special import PAD as PAD
from ._special import UNKNOWN as UNKNOWN
from ._symbols import SYMBOL_KINDS as SYMBOL_KINDS
from ._symbols import SymbolKind as SymbolKind
from ._symbols import Symbols as Symbols
from ._symbols_training import train_symbols as train_symbols
from ._text_file import read_lines as read_lines
from ._token_batches import TokenBatches as TokenBatches
from ._transducer import Transducer as Transducer
from ._transducer import from_pretrained as from_pretrained

if TYPE_CHECKING:
    from ._data_module import PairsDataModule as PairsDataModule
    from ._data_module import SymbolRule as SymbolRule
    from ._fit import FitResult as FitResult
    from ._fit import fit as fit
    from ._training_run import TrainingInterruptedError as TrainingInterruptedError

# Predicting needs no trainer, so what imports Lightning comes when it is first used.
_TRAINING = {
    "FitResult": "_fit",
    "PairsDataModule": "_data_module",
    "SymbolRule": "_data_module",
    "TrainingInterruptedError": "_training_run",
    "fit": "_fit",
}


def __getattr__(name: str) -> Any:
    if name in _TRAINING:
        return getattr(import_module(f".{_TRAINING[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
