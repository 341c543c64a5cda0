"""Set a compressor beside JPEG and WebP on all pictures of a folder: python -m benchmarks.rates RUN FOLDER --out FILE.

Writes a table (FILE.md) and a figure (FILE.png) of bits a pixel, PSNR and MS-SSIM at every quality, from real files.
"""

import argparse
from pathlib import Path

import numpy as np

from ganglion import figures
from ganglion.data.formats.images.files import decode, picture_files
from ganglion.runs.run import open_run
from ganglion.tasks.compression import OWN, Compression
from ganglion.tasks.shared.compressing.codec import Codec
from ganglion.tasks.shared.compressing.comparing import mean_curve
from ganglion.tasks.shared.compressing.other_formats import FORMATS, Point, at_size, curve


def measured(codec: Codec, pictures: list[np.ndarray]) -> list[dict[str, list[Point]]]:
    """Return how large and how near the files of pictures (height, width, channels) are, by format."""
    return [
        {OWN: codec.points(one, structure=True), **{name: curve(one, name, structure=True) for name in FORMATS}}
        for one in pictures
    ]


def table(found: list[dict[str, list[Point]]], pictures: list[np.ndarray]) -> str:
    """Return a row for each quality: what it reaches, and what other formats reach in as many bytes of each picture."""
    own = mean_curve([one[OWN] for one in found], pictures)
    names = [f"{name} {measure}" for name in FORMATS for measure in ("PSNR", "MS-SSIM")]
    lines = [f"| quality | bits a pixel | PSNR | MS-SSIM | {' | '.join(names)} |", "|---" * (4 + len(names)) + "|"]
    for quality in range(len(own["psnr"])):
        others = [
            np.mean([at_size(one[name], one[OWN][quality].size, measure) for one in found])
            for name in FORMATS
            for measure in ("psnr", "ms_ssim")
        ]
        values = [own["bits_per_pixel"][quality], own["psnr"][quality], own["ms_ssim"][quality], *others]
        lines.append(f"| {quality + 1} | " + " | ".join(f"{value:.4g}" for value in values) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("rates"))
    arguments = parser.parse_args()
    run = open_run(arguments.run)
    assert isinstance(run.task, Compression)
    pictures = [decode(path) for path in picture_files([arguments.folder])]
    found = measured(Codec(run.network, run.task.expectations), pictures)
    text = table(found, pictures)
    arguments.out.with_suffix(".md").write_text(text, encoding="utf-8")
    curves = {name: mean_curve([one[name] for one in found], pictures) for name in found[0]}
    figures.save(figures.rates(curves), arguments.out.with_suffix(".png"))
    print(text)


if __name__ == "__main__":
    main()
