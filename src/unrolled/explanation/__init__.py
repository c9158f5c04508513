"""What the tensors of a recurrent run hold: one report, drawn as text, SVG, HTML or JSON."""

from ._attention_part import AttentionPart as AttentionPart
from ._bridge_part import BridgePart as BridgePart
from ._explain import explain as explain
from ._explain_run import explain_run as explain_run
from ._explain_selection import explain_selection as explain_selection
from ._explain_shape import explain_shape as explain_shape
from ._grid_part import GridPart as GridPart
from ._grid_part import Slot as Slot
from ._grid_part import StateEntry as StateEntry
from ._grid_part import grid_part as grid_part
from ._html import render_html as render_html
from ._json import read_json as read_json
from ._json import render_json as render_json
from ._prediction_part import Guess as Guess
from ._prediction_part import PredictionPart as PredictionPart
from ._report import Part as Part
from ._report import Report as Report
from ._selection_part import Piece as Piece
from ._selection_part import SelectionPart as SelectionPart
from ._selection_part import Source as Source
from ._svg import render_svg as render_svg
from ._table_part import ScorePart as ScorePart
from ._table_part import TablePart as TablePart
from ._table_part import score_part as score_part
from ._text import render_text as render_text
