"""What is computed faster here than torch computes it: the face of the compiled paths for those above.

When each path applies says `ganglion.fast.applies`; layers and rules take it by themselves.
"""

from ganglion.fast.applies import PATHS, Path, enabled, reason_disabled
from ganglion.fast.matrix_library import library as product_library

__all__ = ["PATHS", "Path", "enabled", "paths", "product_library", "reason_disabled"]


def paths() -> dict[str, str]:
    """Return of every compiled path, by name, what it does and when, or why it is not taken here.

    >>> sorted(paths())[:2]
    ['adam', 'convolution stages']
    """
    return {path.name: path.standing for path in PATHS}
