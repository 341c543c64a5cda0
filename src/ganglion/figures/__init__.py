"""Figures: functions of arrays that return a `matplotlib.figure.Figure`, in one style, with no state of pyplot."""

from ganglion.figures.answers import code_map as code_map
from ganglion.figures.answers import confusion_matrix as confusion_matrix
from ganglion.figures.answers import decision_regions as decision_regions
from ganglion.figures.answers import forecast as forecast
from ganglion.figures.answers import scatter as scatter
from ganglion.figures.gates import gates as gates
from ganglion.figures.images import filters as filters
from ganglion.figures.images import frames as frames
from ganglion.figures.images import image_grid as image_grid
from ganglion.figures.images import reconstructions as reconstructions
from ganglion.figures.style import save as save
from ganglion.figures.training import curves as curves
from ganglion.figures.training import gradient_flow as gradient_flow
from ganglion.figures.training import heat_map as heat_map
from ganglion.figures.training import returns as returns
