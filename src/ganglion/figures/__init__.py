"""Figures: functions of arrays that return a `matplotlib.figure.Figure`, in one style, with no state of pyplot.

matplotlib is imported when the first of them is asked for: training and answering draw nothing until they are done.
Films and sheets, which are drawn while training, do without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganglion.figures.activity import gates as gates
    from ganglion.figures.anomalies import errors_by_column as errors_by_column
    from ganglion.figures.anomalies import errors_of_normal_and_odd as errors_of_normal_and_odd
    from ganglion.figures.anomalies import found_by_false_alarms as found_by_false_alarms
    from ganglion.figures.anomalies import heat as heat
    from ganglion.figures.anomalies import marked_series as marked_series
    from ganglion.figures.answers import confusion_matrix as confusion_matrix
    from ganglion.figures.answers import decision_regions as decision_regions
    from ganglion.figures.answers import forecast as forecast
    from ganglion.figures.answers import scatter as scatter
    from ganglion.figures.classes import bars as bars
    from ganglion.figures.classes import by_class as by_class
    from ganglion.figures.classes import free_response as free_response
    from ganglion.figures.classes import precision_recall as precision_recall
    from ganglion.figures.classes import reliability as reliability
    from ganglion.figures.decisions import action_values as action_values
    from ganglion.figures.decisions import decision_graph as decision_graph
    from ganglion.figures.decisions import decision_grid as decision_grid
    from ganglion.figures.descent import Ground as Ground
    from ganglion.figures.descent import descent_frames as descent_frames
    from ganglion.figures.descent import descents as descents
    from ganglion.figures.distributions import densities as densities
    from ganglion.figures.distributions import points_beside as points_beside
    from ganglion.figures.driving import Way as Way
    from ganglion.figures.driving import drives as drives
    from ganglion.figures.driving import unit_weights as unit_weights
    from ganglion.figures.energy import couplings as couplings
    from ganglion.figures.energy import rows_by_column as rows_by_column
    from ganglion.figures.energy import temperatures as temperatures
    from ganglion.figures.evidence import evidence_over as evidence_over
    from ganglion.figures.evidence import robustness_curves as robustness_curves
    from ganglion.figures.fits import add_circles as add_circles
    from ganglion.figures.fits import fit as fit
    from ganglion.figures.functions import function_curves as function_curves
    from ganglion.figures.images.captions import described as described
    from ganglion.figures.images.captions import looked_at as looked_at
    from ganglion.figures.images.captions import told as told
    from ganglion.figures.images.captions import words_on as words_on
    from ganglion.figures.images.clips import by_frame as by_frame
    from ganglion.figures.images.clips import film_strips as film_strips
    from ganglion.figures.images.clips import forecast_strips as forecast_strips
    from ganglion.figures.images.driving import Moment as Moment
    from ganglion.figures.images.driving import drive_frames as drive_frames
    from ganglion.figures.images.explanations import heat_over as heat_over
    from ganglion.figures.images.explanations import heat_over_moments as heat_over_moments
    from ganglion.figures.images.explanations import under_attack as under_attack
    from ganglion.figures.images.film import save_film as save_film
    from ganglion.figures.images.grids import filters as filters
    from ganglion.figures.images.grids import frames as frames
    from ganglion.figures.images.grids import image_grid as image_grid
    from ganglion.figures.images.grids import map_rows as map_rows
    from ganglion.figures.images.grids import reconstructions as reconstructions
    from ganglion.figures.images.grids import strips as strips
    from ganglion.figures.images.maps import code_map as code_map
    from ganglion.figures.images.maps import picture_map as picture_map
    from ganglion.figures.images.pen import Drawn as Drawn
    from ganglion.figures.images.pen import pen_film as pen_film
    from ganglion.figures.images.pen import pen_pixels as pen_pixels
    from ganglion.figures.images.pen_pages import drawings as drawings
    from ganglion.figures.images.pixels import sheet as sheet
    from ganglion.figures.images.rates import rates as rates
    from ganglion.figures.images.traces import traces as traces
    from ganglion.figures.markets import wealth as wealth
    from ganglion.figures.music import Roll as Roll
    from ganglion.figures.music import piano_rolls as piano_rolls
    from ganglion.figures.recommendations import foretold as foretold
    from ganglion.figures.recommendations import found_by_length as found_by_length
    from ganglion.figures.recommendations import lists as lists
    from ganglion.figures.responses import Response as Response
    from ganglion.figures.responses import filtered as filtered
    from ganglion.figures.series import add_band as add_band
    from ganglion.figures.series import entitle as entitle
    from ganglion.figures.series import errors_by_series as errors_by_series
    from ganglion.figures.series import errors_by_step as errors_by_step
    from ganglion.figures.series import residuals as residuals
    from ganglion.figures.series import series_by_class as series_by_class
    from ganglion.figures.series import series_pictures as series_pictures
    from ganglion.figures.series import series_rebuilt as series_rebuilt
    from ganglion.figures.series import several_forecasts as several_forecasts
    from ganglion.figures.single_weight import ONE_WEIGHT_FRAMES_PER_SECOND as ONE_WEIGHT_FRAMES_PER_SECOND
    from ganglion.figures.single_weight import Pairs as Pairs
    from ganglion.figures.single_weight import one_weight as one_weight
    from ganglion.figures.single_weight import one_weight_frames as one_weight_frames
    from ganglion.figures.sizes import errors_by_size as errors_by_size
    from ganglion.figures.sizes import fits_by_size as fits_by_size
    from ganglion.figures.sounds import spectrograms as spectrograms
    from ganglion.figures.sounds import spelled_out as spelled_out
    from ganglion.figures.style import SPACE as SPACE
    from ganglion.figures.style import save as save
    from ganglion.figures.texts.passages import coloured_words as coloured_words
    from ganglion.figures.texts.passages import next_tokens as next_tokens
    from ganglion.figures.texts.passages import passage as passage
    from ganglion.figures.texts.passages import step_answers as step_answers
    from ganglion.figures.texts.topics import shares as shares
    from ganglion.figures.texts.topics import topic_words as topic_words
    from ganglion.figures.texts.translations import attention_matrices as attention_matrices
    from ganglion.figures.texts.translations import by_length as by_length
    from ganglion.figures.training import curves as curves
    from ganglion.figures.training import gradient_flow as gradient_flow
    from ganglion.figures.training import heat_map as heat_map
    from ganglion.figures.training import returns as returns
    from ganglion.figures.tuning import importances as importances
    from ganglion.figures.tuning import search_course as search_course
    from ganglion.figures.tuning import slices as slices

_DRAWINGS = {
    "images.traces": ("traces",),
    "sizes": ("errors_by_size", "fits_by_size"),
    "anomalies": (*("errors_by_column", "errors_of_normal_and_odd", "found_by_false_alarms", "heat", "marked_series"),),
    "answers": ("confusion_matrix", "decision_regions", "forecast", "scatter"),
    "activity": ("gates",),
    "classes": ("bars", "by_class", "free_response", "precision_recall", "reliability"),
    "distributions": ("densities", "points_beside"),
    "descent": ("Ground", "descent_frames", "descents"),
    "driving": ("Way", "drives", "unit_weights"),
    "decisions": ("action_values", "decision_graph", "decision_grid"),
    "images.captions": ("described", "looked_at", "told", "words_on"),
    "images.driving": ("Moment", "drive_frames"),
    "images.explanations": ("heat_over", "heat_over_moments", "under_attack"),
    "images.film": ("save_film",),
    "energy": ("couplings", "rows_by_column", "temperatures"),
    "images.clips": ("by_frame", "film_strips", "forecast_strips"),
    "evidence": ("evidence_over", "robustness_curves"),
    "fits": ("add_circles", "fit"),
    "functions": ("function_curves",),
    "images.grids": ("filters", "frames", "image_grid", "map_rows", "reconstructions", "strips"),
    "images.maps": ("code_map", "picture_map"),
    "markets": ("wealth",),
    "texts.passages": ("coloured_words", "next_tokens", "passage", "step_answers"),
    "images.pen": ("Drawn", "pen_film", "pen_pixels"),
    "images.pen_pages": ("drawings",),
    "images.pixels": ("sheet",),
    "images.rates": ("rates",),
    "music": ("Roll", "piano_rolls"),
    "recommendations": ("foretold", "found_by_length", "lists"),
    "responses": ("Response", "filtered"),
    "series": (
        "add_band",
        "entitle",
        "errors_by_series",
        "errors_by_step",
        "residuals",
        "series_by_class",
        "series_pictures",
        "series_rebuilt",
        "several_forecasts",
    ),
    "single_weight": ("ONE_WEIGHT_FRAMES_PER_SECOND", "Pairs", "one_weight", "one_weight_frames"),
    "sounds": ("spectrograms", "spelled_out"),
    "style": ("SPACE", "save"),
    "texts.translations": ("attention_matrices", "by_length"),
    "texts.topics": ("shares", "topic_words"),
    "training": ("curves", "gradient_flow", "heat_map", "returns"),
    "tuning": ("importances", "search_course", "slices"),
}
"""Modules and what is drawn there."""
_HOMES = {name: home for home, names in _DRAWINGS.items() for name in names}
__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ganglion.figures' has no attribute {name!r}")
    return getattr(import_module(f"ganglion.figures.{_HOMES[name]}"), name)
