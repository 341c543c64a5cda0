"""Imported once by the process that every bounded attempt is forked from, so that an attempt costs milliseconds."""

import matplotlib.backends.backend_agg as backend
import pyarrow.parquet as parquet
import torch
from PIL import Image

from ganglion.cli import answer, data, train
from ganglion.data import check, cifar, idx, memory, npz, tabular, text
from ganglion.tasks import classification, forecasting, session

Image.init()
torch.set_num_threads(1)

__all__ = (
    "answer",
    "backend",
    "check",
    "cifar",
    "classification",
    "data",
    "forecasting",
    "idx",
    "memory",
    "npz",
    "parquet",
    "session",
    "tabular",
    "text",
    "train",
)
