"""Raw fields to tensors: fitted on the training part, saved with the run, applied to whatever is asked later.

`PREPROCESSING` says which class prepares which kind of field. Each is a frozen dataclass of plain settings.
"""

from ganglion.data.formats.questions import read_inputs
from ganglion.data.preprocessing.boxes import BoxPreprocessing
from ganglion.data.preprocessing.classes import ClassPreprocessing, LabelPreprocessing, StepClassPreprocessing
from ganglion.data.preprocessing.films import FilmPreprocessing
from ganglion.data.preprocessing.images import ImagePreprocessing
from ganglion.data.preprocessing.masks import MaskPreprocessing
from ganglion.data.preprocessing.numbers import RatingPreprocessing, SeriesPreprocessing, WeightPreprocessing
from ganglion.data.preprocessing.panel import PanelPreprocessing
from ganglion.data.preprocessing.ragged import Ragged
from ganglion.data.preprocessing.rows import TabularPreprocessing
from ganglion.data.preprocessing.short_series import ShortSeriesPreprocessing
from ganglion.data.preprocessing.sounds import WaveformPreprocessing
from ganglion.data.preprocessing.strokes import StrokePreprocessing
from ganglion.data.preprocessing.table import PREPROCESSING, Preprocessing, apply, fit, from_state, to_state
from ganglion.data.preprocessing.tagged import TaggedPreprocessing
from ganglion.data.preprocessing.texts import TextPreprocessing, TokenPreprocessing
from ganglion.data.preprocessing.vocabulary import Vocabulary, words

__all__ = [
    "PREPROCESSING",
    "BoxPreprocessing",
    "ClassPreprocessing",
    "FilmPreprocessing",
    "ImagePreprocessing",
    "LabelPreprocessing",
    "MaskPreprocessing",
    "PanelPreprocessing",
    "Preprocessing",
    "Ragged",
    "RatingPreprocessing",
    "SeriesPreprocessing",
    "ShortSeriesPreprocessing",
    "StepClassPreprocessing",
    "StrokePreprocessing",
    "TabularPreprocessing",
    "TaggedPreprocessing",
    "TextPreprocessing",
    "TokenPreprocessing",
    "Vocabulary",
    "WaveformPreprocessing",
    "WeightPreprocessing",
    "apply",
    "fit",
    "from_state",
    "read_inputs",
    "to_state",
    "words",
]
