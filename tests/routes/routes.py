"""The ways that a computation can take, each forced by surroundings that a process starts with."""

from typing import NamedTuple

AVX2 = (
    "+64bit,+avx,+avx2,+bmi,+bmi2,+cmov,+cx16,+f16c,+fma,+fxsr,+lzcnt,+mmx,+movbe,+popcnt,+sse,+sse2,+sse3,+sse4.1,"
    "+sse4.2,+ssse3"
)
"""What processors with vectors of 256 bits can do."""


class Route(NamedTuple):
    """Surroundings of a process in which tests run."""

    variables: dict[str, str]
    before: str = ""
    """Statements that run before anything is imported."""
    needs_kernels: bool = False


ROUTES = {
    "products by MKL, one thread": Route({"GANGLION_PRODUCTS": "mkl", "OMP_NUM_THREADS": "1"}),
    "products by oneDNN, two threads": Route({"GANGLION_PRODUCTS": "onednn", "OMP_NUM_THREADS": "2"}),
    "kernels off": Route({"GANGLION_FAST": "0"}),
    "without Numba": Route({}, "sys.modules['numba'] = None"),
    # What an AMD Zen 5 takes by itself: 512-bit vectors, no tiles, MKL at half its speed.
    "512-bit vectors of AMD": Route(
        {"GANGLION_PRODUCTS": "onednn", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
        "import ganglion.fast.packed_product as kernels; kernels.has_tiles = lambda: False",
        needs_kernels=True,
    ),
    "256-bit vectors": Route(
        {
            "ATEN_CPU_CAPABILITY": "avx2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "NUMBA_CPU_NAME": "haswell",
            "NUMBA_CPU_FEATURES": AVX2,
            "GANGLION_PRODUCTS": "onednn",
        }
    ),
}
