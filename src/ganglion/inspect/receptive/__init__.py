"""What every layer sees of the input: receptive fields of any network, followed through its operations."""

from ganglion.inspect.receptive.boxes import Box as Box
from ganglion.inspect.receptive.boxes import seen_by as seen_by
from ganglion.inspect.receptive.table import ReceptiveFields as ReceptiveFields
from ganglion.inspect.receptive.table import receptive_fields as receptive_fields
