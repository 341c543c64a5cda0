"""Tensors as compiled scans take them: as contiguous arrays, and weights packed for the product at every step."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def pack(weight: Tensor, columns: int) -> Tensor:
    """Return a weight (depth, width) as panels of columns, (panels, depth, columns), the last filled up with zeros.

    >>> pack(torch.arange(6.0).view(2, 3), columns=2)
    tensor([[[0., 1.],
             [3., 4.]],
    <BLANKLINE>
            [[2., 0.],
             [5., 0.]]])
    """
    padded = functional.pad(weight, (0, -weight.shape[1] % columns)) if weight.shape[1] % columns else weight
    return padded.unflatten(1, (-1, columns)).transpose(0, 1).contiguous()


def pack_pairs(weight: Tensor, side: int) -> Tensor:
    """Return a weight (depth, width) in sixteen bits as panels, (panels, depth / 2, side, 2), of pairs along the depth.

    >>> pack_pairs(torch.arange(6.0).view(2, 3), side=2)[0]
    tensor([[[0., 3.],
             [1., 4.]]], dtype=torch.bfloat16)
    """
    depth, width = weight.shape
    padded = weight.bfloat16()
    if width % side or depth % side:
        padded = functional.pad(padded, (0, -width % side, 0, -depth % side))
    return padded.unflatten(1, (-1, side)).unflatten(0, (-1, 2)).permute(2, 0, 3, 1).contiguous()


def packed(weight: Tensor, in_tiles: bool) -> np.ndarray:
    """Return a weight, (depth, width), as kernels take it: for tiles of sixteen bits, or for single precision."""
    from ganglion.fast import packed_product

    if in_tiles:
        return pack_pairs(weight, 2 * packed_product.TILE).view(torch.int16).numpy().view(np.uint16)
    return pack(weight, packed_product.COLUMNS).numpy()


def fits_tiles(tensor: Tensor) -> bool:
    """Return whether the products of a scan over this, (time, batch, width), are those of sixteen bits."""
    from ganglion.fast import packed_product

    return tensor.dtype is torch.bfloat16 and packed_product.has_tiles()


def single(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """Return tensors in single precision, their shapes as they are."""
    return tuple(None if tensor is None else tensor.float() for tensor in tensors)


def array(tensor: Tensor | None, shape_of_none: tuple[int, ...] = ()) -> np.ndarray:
    """Return a tensor of any shape as the contiguous array that kernels take, without a copy where it is one."""
    if tensor is None:
        return np.empty(shape_of_none, np.float32)
    return tensor.detach().contiguous().numpy()


def halves(tensor: Tensor) -> np.ndarray:
    """Return numbers of sixteen bits and any shape as words, as kernels take them; nothing of a wider tensor."""
    if tensor.dtype is not torch.bfloat16:
        return np.empty((0,) * tensor.dim(), np.uint16)
    return tensor.detach().contiguous().view(torch.int16).numpy().view(np.uint16)


def singles(tensor: Tensor) -> np.ndarray:
    """Return numbers of single precision and any shape as kernels take them; nothing of a narrower tensor."""
    return array(tensor) if tensor.dtype is torch.float32 else np.empty((0,) * tensor.dim(), np.float32)


def own_or_copy(saved: Tensor) -> Tensor:
    """Return a saved tensor, of any shape, as something to be written over: itself, unless the graph is kept."""
    kept = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)()
    return saved.clone() if kept else saved
