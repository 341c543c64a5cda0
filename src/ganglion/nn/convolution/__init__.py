"""Convolutions of every kind, pooling, normalisation across channels, fixed filters, and the sizes that come out."""

from ganglion.nn.convolution.blocks import ConvolutionBlock as ConvolutionBlock
from ganglion.nn.convolution.blocks import NormalisedConvolution as NormalisedConvolution
from ganglion.nn.convolution.blocks import Parallel as Parallel
from ganglion.nn.convolution.filters import FILTERS as FILTERS
from ganglion.nn.convolution.filters import Filter as Filter
from ganglion.nn.convolution.filters import FilterBank as FilterBank
from ganglion.nn.convolution.layers import Convolution1d as Convolution1d
from ganglion.nn.convolution.layers import Convolution2d as Convolution2d
from ganglion.nn.convolution.layers import MaxoutConvolution2d as MaxoutConvolution2d
from ganglion.nn.convolution.layers import SeparableConvolution2d as SeparableConvolution2d
from ganglion.nn.convolution.local import LocallyConnected1d as LocallyConnected1d
from ganglion.nn.convolution.local import LocallyConnected2d as LocallyConnected2d
from ganglion.nn.convolution.local import TiledConvolution2d as TiledConvolution2d
from ganglion.nn.convolution.normalisation import LocalResponseNormalisation as LocalResponseNormalisation
from ganglion.nn.convolution.pooling import L2Pooling1d as L2Pooling1d
from ganglion.nn.convolution.pooling import L2Pooling2d as L2Pooling2d
from ganglion.nn.convolution.pooling import PoolingName as PoolingName
from ganglion.nn.convolution.pooling import pooling as pooling
from ganglion.nn.convolution.sizes import Padding as Padding
from ganglion.nn.convolution.sizes import check_images as check_images
from ganglion.nn.convolution.sizes import cropped as cropped
from ganglion.nn.convolution.sizes import fitting_strides as fitting_strides
from ganglion.nn.convolution.sizes import output_size as output_size
from ganglion.nn.convolution.sizes import same_padding as same_padding
from ganglion.nn.convolution.sizes import scaled_channels as scaled_channels
from ganglion.nn.convolution.sizes import transposed_size as transposed_size
