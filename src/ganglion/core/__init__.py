"""The whole design on one page: a learning rule steps on batches, a loader yields them, and both can be saved.

A network of the canon is a plain `torch.nn.Module`. What makes a family a family is its *learning rule*: how a batch
changes the networks. The trainer drives any rule with any loader and can name neither.
"""

from ganglion.core.asked import Adversary as Adversary
from ganglion.core.asked import Blocked as Blocked
from ganglion.core.asked import CentredUnits as CentredUnits
from ganglion.core.asked import Coder as Coder
from ganglion.core.asked import Colourist as Colourist
from ganglion.core.asked import CoupledModel as CoupledModel
from ganglion.core.asked import Decoder as Decoder
from ganglion.core.asked import DensityModel as DensityModel
from ganglion.core.asked import Dreamer as Dreamer
from ganglion.core.asked import Encoder as Encoder
from ganglion.core.asked import EnergyModel as EnergyModel
from ganglion.core.asked import Finder as Finder
from ganglion.core.asked import Gradual as Gradual
from ganglion.core.asked import Hardened as Hardened
from ganglion.core.asked import Illustrator as Illustrator
from ganglion.core.asked import Judge as Judge
from ganglion.core.asked import LatentModel as LatentModel
from ganglion.core.asked import Layered as Layered
from ganglion.core.asked import Local as Local
from ganglion.core.asked import Located as Located
from ganglion.core.asked import ManyHeaded as ManyHeaded
from ganglion.core.asked import Mixing as Mixing
from ganglion.core.asked import Pausing as Pausing
from ganglion.core.asked import PicturesSeries as PicturesSeries
from ganglion.core.asked import Players as Players
from ganglion.core.asked import Reader as Reader
from ganglion.core.asked import Segmenter as Segmenter
from ganglion.core.asked import SideBySide as SideBySide
from ganglion.core.asked import Staged as Staged
from ganglion.core.asked import Steers as Steers
from ganglion.core.learning import Batch as Batch
from ganglion.core.learning import LearningRule as LearningRule
from ganglion.core.learning import Loader as Loader
from ganglion.core.learning import Measure as Measure
from ganglion.core.learning import Phase as Phase
from ganglion.core.learning import is_under as is_under
from ganglion.core.named import Backbone as Backbone
from ganglion.core.named import Published as Published
from ganglion.core.named import Standing as Standing
from ganglion.core.segments import Segment as Segment
from ganglion.core.styled import Styled as Styled
