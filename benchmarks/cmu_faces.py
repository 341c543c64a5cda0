"""Cut the faces out of CMU's pictures and lay them beside scenery, as `ganglion train face-detector` takes them.

`python -m benchmarks.cmu_faces OUT` reads the sets `cmu-faces` and `bsds500` from the folder named by GANGLION_DATA.
Faces that look straight ahead are looked for with the cascade of local binary patterns that comes with scikit-image
(the extra `images`), at their usual size and place where it finds none. Each person has a folder.
"""

import io
import os
import shutil
import statistics
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

USUAL = (40, 36)
"""Left and top of a face, in pictures of 120 x 128."""
NEAR = 14
"""Pixels from there within which what is found is a face."""
SIDES = (40, 58)
"""Of faces that are believed."""


def main(out: Path) -> None:
    data = Path(os.environ["GANGLION_DATA"])
    pictures = straight(data / "cmu-faces" / "faces.tar.gz")
    boxes = located(pictures)
    for name, picture in pictures.items():
        left, top, side = boxes[name]
        person = name.split("_")[0]
        (out / "faces" / person).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[top : top + side, left : left + side]).save(out / "faces" / person / f"{name}.png")
    (out / "scenery").mkdir(parents=True, exist_ok=True)
    scenery = sorted((data / "bsds500").glob("*/*.jpg"))
    for path in scenery:
        shutil.copy(path, out / "scenery" / f"{path.parent.name}-{path.name}")
    print(f"{len(pictures)} faces of {len(list((out / 'faces').iterdir()))} people, {len(scenery)} pictures of scenery")


def straight(archive: Path) -> dict[str, np.ndarray]:
    """Return the pictures (120, 128) of people who look straight ahead, by name."""
    with tarfile.open(archive) as files:
        members = [one for one in files.getmembers() if "_straight_" in one.name and one.name.endswith(".pgm")]
        contents = {Path(one.name).stem: files.extractfile(one) for one in members}
        return {name: np.asarray(Image.open(io.BytesIO(file.read()))) for name, file in contents.items() if file}


def located(pictures: dict[str, np.ndarray]) -> dict[str, tuple[int, int, int]]:
    """Return left, top and side of the face in each picture; those of a person are near each other."""
    import skimage.data
    from skimage.feature import Cascade

    cascade = Cascade(skimage.data.lbp_frontal_face_cascade_filename())
    found: dict[str, tuple[int, int, int]] = {}
    for name, picture in pictures.items():
        candidates = cascade.detect_multi_scale(picture, 1.1, 1, min_size=(SIDES[0],) * 2, max_size=(SIDES[1],) * 2)
        near = [(one["c"], one["r"], one["width"]) for one in candidates]
        near = [one for one in near if np.hypot(one[0] - USUAL[0], one[1] - USUAL[1]) < NEAR]
        if near:
            found[name] = min(near, key=lambda one: float(np.hypot(one[0] - USUAL[0], one[1] - USUAL[1])))
    people: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for name, box in found.items():
        people[name.split("_")[0]].append(box)
    for name in pictures:
        own = people[name.split("_")[0]] or list(found.values())
        found.setdefault(name, tuple(round(statistics.median(values)) for values in zip(*own, strict=True)))  # type: ignore[arg-type]
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]))
