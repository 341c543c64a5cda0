"""Imported once by the process that every bounded attempt is forked from, so that an attempt costs milliseconds."""

import contextlib
import io
import os
from importlib import import_module

import matplotlib.backends.backend_agg as backend
import pyarrow.parquet as parquet
import scipy.ndimage as filters
import torch
from PIL import Image

from ganglion import cli, figures
from ganglion.cli import answer, data, train
from ganglion.data import check
from ganglion.data.formats import arrays as memory
from ganglion.data.formats import npz, tabular, text
from ganglion.data.formats.images import cifar, idx
from ganglion.models import find
from ganglion.runs import opening as description
from ganglion.runs import session
from ganglion.tasks import (
    authenticity,
    classification,
    compression,
    detection,
    driving,
    forecasting,
    labelling,
    regression,
    segmentation,
    text_to_image,
)
from tests.warm import SHARED, draw_drafts

for name in SHARED:  # what is imported where it is used
    import_module(name)
draw_drafts()
Image.init()
torch.set_num_threads(1)
for name in ("mlp", "fast-rcnn"):  # these import much that torch puts off
    description.build(find(name), find(name).load().TINY)
figures.save(figures.curves([{"step": 1, "loss": 1.0}]), os.devnull)
with contextlib.redirect_stdout(io.StringIO()):
    cli.main(["data", "check", "iris"])  # what reads the command line

__all__ = (
    "answer",
    "authenticity",
    "backend",
    "check",
    "cifar",
    "classification",
    "compression",
    "data",
    "detection",
    "driving",
    "filters",
    "forecasting",
    "idx",
    "labelling",
    "memory",
    "npz",
    "parquet",
    "regression",
    "segmentation",
    "session",
    "tabular",
    "text",
    "text_to_image",
    "train",
)
