"""What comes in by other ways than as a data set: prices, pictures to learn pieces of, folders that are searched."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ganglion.data.catalogue import read
from ganglion.data.dataset import Kind
from ganglion.data.formats.images.files import read_images_at
from ganglion.data.markets.prices import read_prices
from ganglion.data.settings import DataSettings
from tests.hostile.case import accepted, put, refused
from tests.hostile.images import NOISE, encoded, good

DAYS = [f"2024-{n // 28 + 1:02}-{n % 28 + 1:02}" for n in range(60)]


def prices(path: Path, wanted: Kind | None = None) -> tuple[str, ...]:
    return read_prices(str(path), DataSettings()).notes


def pieces(folder: Path, wanted: Kind | None = None) -> tuple[str, ...]:
    from ganglion.models.autoencoder.upscaler import TINY
    from ganglion.tasks.upscaling import Upscaling

    return Upscaling.prepare(str(folder), TINY, DataSettings(), seed=0).data.notes


def searched(folder: Path, wanted: Kind | None = None) -> tuple[str, ...]:
    """Return what is said of a folder and of the index beside it, whose codes are the mean colours."""
    from ganglion.tasks.shared.pictures.index import PictureIndex

    def encode(files: Sequence[Path]) -> np.ndarray:
        return np.array([image.mean(axis=(0, 1)) for image in read_images_at(files)], dtype=np.float32)

    return PictureIndex.of(folder / "pictures", folder / "kept", "mean", encode).notes


def quoted(rows: dict[str, object], head: str = "date,close") -> str:
    return f"{head}\n" + "".join(f"{day},{price}\n" for day, price in rows.items())


GOOD = {day: 100 + n % 7 for n, day in enumerate(DAYS)}
BAD_PRICES = {
    "a price of zero": (quoted(GOOD | {DAYS[9]: 0}), "not above zero"),
    "a price below zero": (quoted(GOOD | {DAYS[9]: -37.63}), "not above zero"),
    "a missing price": (quoted(GOOD | {DAYS[9]: ""}), "a price is missing"),
    "a price that is a word": (quoted(GOOD | {DAYS[9]: "closed"}), "cells that are none"),
    "an infinite price": (quoted(GOOD | {DAYS[9]: "inf"}), "a price is missing"),
    "dates in no order": (quoted({**dict(list(GOOD.items())[30:]), **GOOD}).replace(DAYS[31], DAYS[2], 1), "no order"),
    "a date twice": (quoted(GOOD) + f"{DAYS[-1]},101\n", "no order"),
    "a day that never was": (quoted(GOOD | {"2024-02-31": 5}), "no date that can be read"),
    "half a year without a price": (quoted(GOOD | {"2024-12-01": 5}), "a gap in these prices"),
    "two columns that may be it": (
        "date,first,second\n" + "".join(f"{day},{n + 1},{n + 2}\n" for n, day in enumerate(DAYS)),
        "not clear which column",
    ),
    "dates alone": ("date\n" + "\n".join(DAYS) + "\n", "not clear which column"),
    "a count downwards": ("no,close\n" + "".join(f"{60 - n},{n % 9 + 5}\n" for n in range(60)), "run backwards"),
    "two readings of a price": (quoted({day: f'"1,{n + 100}"' for n, day in enumerate(DAYS)}), "in two ways"),
    "no bytes": ("", "empty"),
}
for _name, (_text, _said) in BAD_PRICES.items():
    refused("prices", _name, _said, through=prices)(lambda folder, text=_text: put(folder / "t.csv", text))


@accepted("prices", "the newest first", "turned round", through=prices)
def _(folder: Path) -> Path:
    return put(folder / "t.csv", quoted(dict(reversed(GOOD.items()))))


@accepted("prices", "money by semicolons", "numbers in $", through=prices)
def _(folder: Path) -> Path:
    text = "day;price\n" + "".join(f"{day};${n + 1000:,}\n" for n, day in enumerate(DAYS))
    return put(folder / "t.csv", text)


def two(folder: Path, names: tuple[str, str] = ("trainA", "trainB"), counts: tuple[int, int] = (6, 9)) -> Path:
    for name, count in zip(names, counts, strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shade = np.roll(NOISE[:16, :16], number * (2 if name[-1] == "A" else 3), axis=0)
            put(folder / name / f"{name}{number}.png", encoded(np.ascontiguousarray(shade)))
    return folder


@accepted("domains", "two folders of different lengths", wanted="image-domains")
def _(folder: Path) -> Path:
    return two(folder)


@refused("domains", "one of the folders is empty", "no images", wanted="image-domains")
def _(folder: Path) -> Path:
    return two(folder, counts=(6, 0))


@refused("domains", "one folder alone", "no data of the kind image-domains", wanted="image-domains")
def _(folder: Path) -> Path:
    return good(folder, classes=("horses",))


@refused("domains", "a damaged picture", "trainA3.png", wanted="image-domains")
def _(folder: Path) -> Path:
    two(folder)
    put(folder / "trainA" / "trainA3.png", encoded(NOISE)[:900])
    return folder


def sized(folder: Path, *sides: int, count: int = 12) -> Path:
    random = np.random.default_rng(0)
    for number in range(count):
        side = sides[number % len(sides)]
        put(folder / f"{number}.png", encoded(random.integers(0, 255, (side, side, 3), dtype=np.uint8)))
    return folder


@accepted("pieces", "pictures of several sizes", "learns from pieces of", through=pieces)
def _(folder: Path) -> Path:
    return sized(folder, 48, 70, 61)


@refused("pieces", "one picture of few pixels", "smaller than what is to be learnt from", through=pieces)
def _(folder: Path) -> Path:
    return sized(folder, 48, 48, 48, 4)


@refused("pieces", "a damaged picture", "7.png", through=pieces)
def _(folder: Path) -> Path:
    put(sized(folder, 48) / "7.png", encoded(NOISE)[:900])
    return folder


@refused("pieces", "no pictures", "not for upscaling", "text data", through=pieces)
def _(folder: Path) -> Path:
    put(folder / "notes.md", "nothing here")
    return folder


def kept(folder: Path) -> Path:
    for number in range(4):
        put(folder / "pictures" / f"{number}.png", encoded(np.roll(NOISE, number, axis=1)))
    searched(folder)
    return folder


def changed(folder: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    (path,) = (kept(folder) / "kept").glob(name)
    path.write_bytes(change(path.read_bytes()))
    return folder


def with_value(content: bytes, **values: object) -> bytes:
    return json.dumps(json.loads(content) | values).encode()


DAMAGES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "an index cut off": ("index.json", lambda content: content[:80]),
    "an index that is no object": ("index.json", lambda content: b"[1, 2]"),
    "an index of nothing": ("index.json", lambda content: b"{}"),
    "an index with odd pictures": ("index.json", partial(with_value, pictures=[{"file": "../../etc/passwd"}])),
    "an index that names another file": ("index.json", partial(with_value, codes="../" * 9 + "etc/passwd")),
    "codes cut off": ("codes-*.npy", lambda content: content[:90]),
    "codes that are pickled": ("codes-*.npy", lambda content: content.replace(b"<f4", b"|O ")),
    "codes of another number": ("codes-*.npy", lambda content: content[:-8]),
}
for _name, (_file, _change) in DAMAGES.items():
    accepted("index", _name, "damaged and is made anew", through=searched)(
        lambda folder, file=_file, change=_change: changed(folder, file, change)
    )


@accepted("index", "one of another network", "made by another network", through=searched)
def _(folder: Path) -> Path:
    return changed(folder, "index.json", partial(with_value, encoder="others"))


@accepted("index", "a file that is no picture", "left out, for they are no pictures: 9.png", through=searched)
def _(folder: Path) -> Path:
    put(kept(folder) / "pictures" / "9.png", b"no picture")
    return folder


@refused("index", "a folder without pictures", "no images in this folder", through=searched)
def _(folder: Path) -> Path:
    put(folder / "pictures" / "notes.md", "nothing")
    return folder


def shops(path: Path, wanted: Kind | None = None, **flags: object) -> tuple[str, ...]:
    """Read a table of several series."""
    settings = DataSettings(**{"key": ("shop",), "known": ("price",), **flags})  # type: ignore[arg-type]
    found = read(path, settings, "series")
    return (*found.notes, *(finding.message for finding in found.findings))


def shop(name: str, sold: str = "{}", price: str = "2", days: int = 20) -> str:
    return "".join(f"2024-01-{day:02},{name},{sold.format(day * 3 % 7)},{price}\n" for day in range(1, days + 1))


SHOPS = "day,shop,sold,price\n" + shop("north") + shop("south")


@accepted("panel", "two shops with a price known in advance", "2 series of 20 steps", through=shops)
def _(folder: Path) -> Path:
    return put(folder / "shops.csv", SHOPS)


@accepted(
    "panel",
    "a shop that sold nothing that is known",
    "series left out because sold has no value in them: 1",
    through=shops,
)
def _(folder: Path) -> Path:
    return put(folder / "shops.csv", SHOPS + shop("closed", sold=""))


@refused("panel", "a row without a shop", "belongs to no series", "row 41", through=shops)
def _(folder: Path) -> Path:
    return put(folder / "shops.csv", SHOPS + "2024-01-21,,3,2\n")


@refused("panel", "two rows for a date", "not one for each date", "--key", through=shops)
def _(folder: Path) -> Path:
    return put(folder / "shops.csv", SHOPS + shop("south"))


@refused("panel", "a known column that is empty where it is to be known", "rows to come", "south", through=shops)
def _(folder: Path) -> Path:
    rows = "".join(f"2024-02-{day:02},south,,\n" for day in range(1, 5))
    return put(folder / "shops.csv", SHOPS + rows)


@refused("panel", "a key that is no column", "unknown column 'store'", through=partial(shops, key=("store",)))
def _(folder: Path) -> Path:
    return put(folder / "shops.csv", SHOPS)


@refused("panel", "what is forecast as known", "forecast, known in advance", through=partial(shops, target="price"))
def _(folder: Path) -> Path:
    return put(folder / "shops.csv", SHOPS)
