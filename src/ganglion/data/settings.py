"""How data is read, split and batched; no torch here, so that the command line can show it at once."""

from collections.abc import Sequence
from typing import Annotated, Literal

from ganglion.errors import ConfigurationError
from ganglion.settings import SHARE, Search, above, at_least, between, settings

AugmentName = Literal["none", "shift", "flip", "shift-flip", "flips", "elastic", "flip-elastic", "flips-elastic"]
WRITTEN = (
    "delimiter",
    "quoting",
    "decimal",
    "thousands",
    "encoding",
    "sheet",
    "header",
    "missing",
    "usual_missing",
    "dates",
)
"""Settings that say how a file is written, of whatever is to be learnt or asked."""
READ = (
    *("target", "task", "columns", "drop", "index", "text", "numbers", "weights", "series", "labels", "pixels"),
    *("key", "known", "calendar"),
    "titles",
    "test_files",
    "resample",
    *WRITTEN,
)
"""Settings by which data is read, before it is divided and batched."""


@settings
class DataSettings:
    """How the data is read, split and batched, whatever the task."""

    batch_size: Annotated[Annotated[int, at_least(1)] | Literal["all"], Search(around=4, usual=True)] = 64
    """Samples per update: 1 is stochastic, `all` is the whole training part at once."""
    validation: Annotated[float, SHARE] = 0.1
    """Share of the samples held back to choose the best weights; for series the share of time before the test part."""
    test: Annotated[float, SHARE] = 0.2
    """Share held back for the final score, where the data brings no test part of its own."""
    folds: Annotated[int, at_least(2)] | None = None
    """Cross-validate: divide the samples into this many folds, and train once for each on all others. A test part that
    the data brings is then not looked at."""
    fold: Annotated[int, at_least(1)] | None = None
    """Train only once, with this of the folds held back as the test part."""
    limit: Annotated[int, at_least(1)] | None = None
    """Use at most this many training samples."""
    read_as: Literal["auto", "tabular", "series", "short-series"] = "auto"
    """What a table is where it could be several things: rows, the steps of one series, or a series in each row."""
    target: str | None = None
    """Column to predict, or several with commas between them; the last, or one called target, label, class, y and the
    like, when not given."""
    columns: tuple[str, ...] = ()
    """Columns to use; when not given, all that do not merely count or name the rows."""
    drop: tuple[str, ...] = ()
    """Columns to leave out."""
    index: str | None = None
    """Column that names the rows; it is not learnt from."""
    text: tuple[str, ...] = ()
    """Columns to read as text, though numbers stand in them."""
    numbers: tuple[str, ...] = ()
    """Columns to read as numbers, though they look like codes, or only count."""
    task: Literal["auto", "classification", "regression"] = "auto"
    """Whether the target is a class or a quantity; found out when not given."""
    weights: str | None = None
    """Column that says how much each sample counts in the loss, in an NPZ file the array; measures count all alike."""
    class_weight: tuple[str, ...] = ()
    """How much the samples of a class count in the loss: `balanced`, so that each class counts alike in sum,
    NAME=WEIGHT of some classes, or `none`. Measures count all samples alike."""
    delimiter: str | None = None
    """What separates the cells of a table: a character, or comma, semicolon, tab, bar, space; found out when not
    given, like all about a file."""
    quoting: Literal["auto", "yes", "no"] = "auto"
    """Whether cells may stand within quotation marks."""
    decimal: Literal["auto", ".", ","] = "auto"
    """What parts a number from its fraction."""
    thousands: Literal["auto", "none", ",", ".", " ", "'"] = "auto"
    """What groups the digits of a number."""
    encoding: str | None = None
    """What a file of text is encoded in, such as utf-8, cp1252, gb18030."""
    sheet: str | None = None
    """Sheet of an Excel file that has several."""
    header: Annotated[int, at_least(0)] | Literal["auto", "none"] = "auto"
    """Rows that name the columns of a table."""
    missing: tuple[str, ...] | None = None
    """Words that stand for a missing value, beside the usual ones (NA, n/a, null, ? and the like) and blank cells."""
    usual_missing: bool = True
    """Count the usual words as missing; without them only blank cells and those that are named."""
    labels: str = "auto"
    """Where it stands what pictures show: `folders`, in their names; `names`, before the number in those of files; or
    the name of a table beside them. Found out when not given."""
    pixels: tuple[float, float] | None = None
    """Values of pixels that are black and white; found out from all images when not given."""
    test_files: str | None = None
    """Files of sound whose names fit this pattern are the test part: `*_anna_*` leaves out a voice."""
    resample: Annotated[int, between(1000, 192_000)] | None = None
    """Amplitudes a second that sounds are brought to; that of most files, and at most 16000, when not given."""
    titles: str | None = None
    """Table of what rated items are called; in a folder it is found."""
    augment: Literal[AugmentName, "auto"] = "none"
    """Random changes to training images, a function of (seed, epoch, sample): shifted, mirrored left to right, in both
    directions (`flips`), bent like rubber. With `auto` they are shifted where classes or labels are told apart, and not
    where quantities are learnt, which may say where something is."""
    colour_jitter: Annotated[float, SHARE] = 0.0
    """How much brightness, contrast and saturation of training images vary: by factors from 1 - x to 1 + x."""
    lighting: Annotated[float, at_least(0)] = 0.0
    """How much training images change along the directions in which their colours vary most: 0.1 as in AlexNet."""
    cutout: Annotated[float, SHARE] = 0.0
    """Side of a square of each training image that is made grey, as a share of the image's shorter side."""
    resize: Literal["stretch", "crop", "letterbox", "none"] | None = None
    """How images come to the size that the network sees: stretched; `crop`, scaled and what is too long cut off; whole
    between grey borders; or with `none` not scaled at all, the middle of each as it is. Stretched when not given, but
    for pictures from pictures, of which the middle is taken as it is."""
    standardise: bool = False
    """Scale each channel of images by its mean and deviation over the training part."""
    workers: Annotated[int, at_least(0)] = 0
    """Processes that decode images of a folder too large for memory."""
    worker_timeout: Annotated[float, above(0)] = 300.0
    """Seconds to wait for a batch from these processes before training stops."""
    stream: Literal["auto", "yes", "no"] = "auto"
    """Read a folder of images batch by batch instead of holding it in memory."""
    download: bool = False
    """Fetch a named set from its mirrors if it is not on this machine."""
    dates: Literal["day-first", "month-first"] | None = None
    """How dates such as 01/02/2024 are read; found out from the whole column when not given."""
    series: str | None = None
    """Series to take of a table that holds several, one below the other: `COLUMN=VALUE`, or several with commas."""
    key: tuple[str, ...] = ()
    """Columns that name the series a row is of, in a table that holds several, one below the other: one network learns
    all of them."""
    known: tuple[str, ...] = ()
    """Columns of a series that are known in advance, such as prices and holidays: a forecast is told of them, and they
    are not forecast."""
    calendar: Literal["auto", "yes", "no"] = "auto"
    """Tell forecasts the hour, the day of the week and the month, where the dates say them: of one series if that is
    asked for, of several and of series with known columns always."""
    season: Annotated[int, at_least(1)] | None = None
    """Steps in one season of a series, for the seasonal-naive baseline; estimated when not given."""
    allow_problems: bool = False
    """Train even though the data check found something that makes the result doubtful."""

    def __post_init__(self) -> None:
        for name in ("key", "known"):  # `price,holiday` are two columns, as for the target
            parts = [part.strip() for several in getattr(self, name) for part in several.split(",")]
            object.__setattr__(self, name, tuple(filter(None, parts)))
        if self.validation + self.test >= 1:
            raise ConfigurationError(
                "validation and test shares must leave something to train on",
                found=f"validation {self.validation}, test {self.test}",
            )
        if self.fold is not None and self.fold > (self.folds or 0):
            raise ConfigurationError("fold must be one of the folds", found=f"fold {self.fold} of {self.folds or 0}")

    def given(self, names: Sequence[str]) -> list[str]:
        """Return which of these settings differ from what stands when nothing is said."""
        usual = DataSettings()
        return [name for name in names if getattr(self, name) != getattr(usual, name)]
