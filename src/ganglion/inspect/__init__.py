"""Looking inside: what a network is made of, how one weight's gradient arises, where gradients die, what layers see."""

from ganglion.inspect.backpropagation import Trace as Trace
from ganglion.inspect.backpropagation import example as example
from ganglion.inspect.backpropagation import trace as trace
from ganglion.inspect.features import feature_maps as feature_maps
from ganglion.inspect.features import first_filters as first_filters
from ganglion.inspect.filters import Filtered as Filtered
from ganglion.inspect.filters import filtered as filtered
from ganglion.inspect.gates import Gates as Gates
from ganglion.inspect.gates import gates as gates
from ganglion.inspect.gradient_flow import GradientFlow as GradientFlow
from ganglion.inspect.gradient_flow import gradient_flow as gradient_flow
from ganglion.inspect.receptive import ReceptiveFields as ReceptiveFields
from ganglion.inspect.receptive import receptive_fields as receptive_fields
from ganglion.inspect.summary import Summary as Summary
from ganglion.inspect.summary import summarise as summarise
from ganglion.inspect.through_time import TimeFlow as TimeFlow
from ganglion.inspect.through_time import gradient_through_time as gradient_through_time
from ganglion.inspect.through_time import has_time as has_time
