"""Figures: what is drawn is what was given, at every size, and nothing global changes."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from ganglion import figures
from ganglion.errors import UsageError
from ganglion.figures.images.grids import MOST
from ganglion.figures.images.pixels import to_pixels
from ganglion.figures.style import BLUE, DOTS_PER_INCH, PALETTE, RED
from ganglion.figures.words import text

pytestmark = pytest.mark.usefixtures("laid_out")

RANDOM = np.random.default_rng(0)
ROWS = [
    {"step": 10 * i, "epoch": i, "seconds": 0.5 * i, "samples_per_second": 9, "loss": 2 / i, "validation_loss": 3 / i}
    for i in range(1, 9)
]


def legend(panel):
    return [entry.get_text() for entry in panel.get_legend().get_texts()]


def many():
    """Every figure, with ordinary and with awkward input."""
    names = [f"class $number$ {i} of {100} with a long name" for i in range(100)]
    images = RANDOM.random((9, 8, 8))
    series = np.sin(np.arange(90) / 7)
    broken = [{"step": 1, "loss": float("nan")}, {"step": 2, "loss": None}, {"step": 3, "loss": float("inf")}]
    return {
        "curves": lambda: figures.curves(ROWS),
        "curves of one row": lambda: figures.curves(ROWS[:1]),
        "curves of nothing": lambda: figures.curves([]),
        "curves of no numbers": lambda: figures.curves(broken),
        "curves with a gap": lambda: figures.curves([*broken, {"step": 4, "loss": 1.0}]),
        "one class": lambda: figures.confusion_matrix(np.array([[7]]), ["only"]),
        "empty confusion": lambda: figures.confusion_matrix(np.zeros((3, 3)), ["a", "b", "c"]),
        "hundred classes": lambda: figures.confusion_matrix(np.eye(100) * 9, names),
        "grid": lambda: figures.image_grid(images, ["$ \\frac", "日本"], title="100 % $"),
        "grid of none": lambda: figures.image_grid(images[:0]),
        "grid of one": lambda: figures.image_grid(images[:1]),
        "tall and narrow": lambda: figures.image_grid(RANDOM.random((3, 400, 2, 3)), columns=1),
        "filters": lambda: figures.filters(RANDOM.normal(size=(6, 1, 5, 5))),
        "filters in colour": lambda: figures.filters(RANDOM.normal(size=(6, 3, 5, 5))),
        "deep filters": lambda: figures.filters(RANDOM.normal(size=(64, 32, 3, 3))),
        "zero filters": lambda: figures.filters(np.zeros((4, 5, 5))),
        "reconstructions": lambda: figures.reconstructions(images, images * 0.5),
        "codes of 1": lambda: figures.code_map(RANDOM.normal(size=(30, 1)), np.arange(30) % 3),
        "codes of 100 classes": lambda: figures.code_map(RANDOM.normal(size=(300, 2)), np.arange(300) % 100, names),
        "codes without labels": lambda: figures.code_map(RANDOM.normal(size=(30, 5))),
        "one code": lambda: figures.code_map(np.zeros((1, 3))),
        "forecast": lambda: figures.forecast(
            series[:60], series[60:], {"net": series[59:89], "naive $": series[30:60]}
        ),
        "future": lambda: figures.forecast(series, None, {"net": series[:9]}),
        "forecast of two": lambda: figures.forecast(np.ones((9, 2)), np.ones((3, 2)), {"net": np.ones((3, 2))}),
        "scatter": lambda: figures.scatter(series, series * 0.9, ["$y"]),
        "constant truth": lambda: figures.scatter(np.ones(5), np.ones(5)),
        "regions": lambda: figures.decision_regions(lambda p: p[:, 0] > 0, RANDOM.normal(size=(20, 2)), np.ones(20)),
        "returns": lambda: figures.returns(np.arange(300.0), 195.0),
        "one return": lambda: figures.returns([1.0]),
        "no return": lambda: figures.returns([]),
        "frames": lambda: figures.frames(RANDOM.integers(0, 256, (30, 40, 60, 3), dtype=np.uint8)),
        "heat map": lambda: figures.heat_map(np.array([[0, 1e-9], [np.nan, 1]]), ["a", "b"], [1, 2], logarithmic=True),
        "flow": lambda: figures.gradient_flow(["a", "b"], [0.0, float("nan")], [1.0, 2.0], [0.5, float("nan")]),
        "no flow": lambda: figures.gradient_flow([], [], [], []),
    }


@pytest.mark.parametrize("name", many())
def test_every_figure_can_be_saved_and_leaves_the_settings_alone(name, tmp_path):
    before = dict(mpl.rcParams)
    figure = many()[name]()
    assert dict(mpl.rcParams) == before
    path = figures.save(figure, tmp_path / "new" / "figure.png")
    with Image.open(path) as image:
        width, height = figure.get_size_inches() * DOTS_PER_INCH
        assert image.size == pytest.approx((width, height), abs=1)
        assert image.size[0] <= 10.5 * 120 * 1.3
        assert image.size[1] <= 14.5 * 120
        assert np.asarray(image.convert("L")).std() > 0


def test_drawing_never_imports_pyplot():
    program = (
        "import sys, numpy; from ganglion import figures\n"
        "figures.save(figures.image_grid(numpy.ones((2, 3, 3))), sys.argv[1])\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, "/dev/null"], check=True)


def test_settings_of_the_user_do_not_show():
    with mpl.rc_context({"axes.facecolor": "red", "lines.linewidth": 30, "font.size": 40}):
        figure = figures.curves(ROWS)
    assert figure.axes[0].get_facecolor() == (1, 1, 1, 1)
    assert figure.axes[0].lines[0].get_linewidth() < 3


def test_curves_pair_training_and_validation_in_one_panel():
    figure = figures.curves(ROWS)
    (panel,) = figure.axes
    assert panel.get_title(loc="left") == "loss"
    assert legend(panel) == ["train  0.25", "validation  0.375"]
    train, validation = panel.lines
    np.testing.assert_allclose(train.get_ydata(), [2 / i for i in range(1, 9)])
    np.testing.assert_allclose(validation.get_ydata(), [3 / i for i in range(1, 9)])
    np.testing.assert_allclose(train.get_xdata(), range(1, 9))
    assert panel.get_xlabel() == "epoch"


def test_curves_go_by_step_where_epochs_repeat_and_connect_sparse_evaluations():
    rows = [{"step": i, "epoch": i // 4, "loss": 1.0} | ({"validation_loss": 2.0} if i % 2 else {}) for i in range(8)]
    (panel,) = figures.curves(rows).axes
    assert panel.get_xlabel() == "step"
    assert list(panel.lines[1].get_xdata()) == [1, 3, 5, 7]


def test_curves_over_decades_are_logarithmic_and_a_constant_rate_is_not_drawn():
    rows = [{"step": i, "loss": 10.0**-i, "learning_rate": 0.1} for i in range(5)]
    (panel,) = figures.curves(rows).axes
    assert panel.get_yscale() == "log"
    assert figures.curves(ROWS).axes[0].get_yscale() == "linear"


def test_infinite_values_break_the_curve():
    rows = [{"step": i, "loss": float("inf") if i == 2 else 1.0} for i in range(5)]
    values = figures.curves(rows).axes[0].lines[0].get_ydata()
    np.testing.assert_array_equal(np.isnan(values), [False, False, True, False, False])


def test_confusion_matrix_prints_its_counts_and_colours_mistakes():
    counts = np.array([[8, 2, 0], [0, 5, 0], [1, 0, 4]])
    (panel,) = figures.confusion_matrix(counts, ["ape", "bee", "cat"]).axes
    printed = {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in panel.texts}
    assert printed == {(r, c): str(counts[r, c]) for r in range(3) for c in range(3) if counts[r, c]}
    assert panel.get_title(loc="left") == "Confusion: 85.0% of 20 right"
    assert [label.get_text() for label in panel.get_yticklabels()] == ["ape", "bee", "cat"]
    shades = panel.images[0].get_array()
    assert shades[0, 1, 0] > shades[0, 1, 2]  # orange
    assert shades[0, 0, 2] > shades[0, 0, 0]  # blue
    np.testing.assert_allclose(shades[0, 2], 1)


@pytest.mark.parametrize(
    ("draw", "words"),
    [
        (lambda: figures.confusion_matrix(np.ones((2, 3))), "square"),
        (lambda: figures.confusion_matrix(np.eye(2), ["a"]), "label"),
        (lambda: figures.image_grid(np.ones((2, 5, 5, 2))), "images"),
        (lambda: figures.filters(np.ones((2, 3))), "filters"),
        (lambda: figures.scatter(np.ones(3), np.ones(4)), "shape"),
        (lambda: figures.decision_regions(np.ravel, np.ones((4, 1)), np.zeros(4)), "two columns"),
    ],
)
def test_wrong_shapes_are_one_clear_error(draw, words):
    with pytest.raises(UsageError, match=words):
        draw()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 51, 255], np.uint8), [0, 0.2, 1]),
        (np.array([0.0, 0.2, 0.9]), [0, 0.2, 0.9]),
        (np.array([-1.0, 0.0, 0.5]), [0, 0.5, 0.75]),
        (np.array([0.0, 4.0, 16.0]), [0, 0.25, 1]),
        (np.array([-3.0, 0.0, 1.0]), [0, 0.75, 1]),
        (np.array([5.0, 5.0, 5.0]), [0, 0, 0]),
        (np.array([False, True, True]), [0, 1, 1]),
    ],
)
def test_pixels_are_scaled_by_what_their_range_means(values, expected):
    np.testing.assert_allclose(to_pixels(values.reshape(1, 1, 3))[0, 0, :, 1], expected, atol=1e-12)


def test_pixels_that_are_no_numbers_are_marked_and_transparent_ones_are_white():
    pixels = to_pixels(np.array([[[0.5, np.nan]]]))
    np.testing.assert_allclose(pixels[0, 0, 1], mpl.colors.to_rgb(RED))
    np.testing.assert_allclose(to_pixels(np.zeros((1, 1, 1, 4)))[0, 0, 0], 1)


def test_grid_shows_at_most_so_many_images_and_says_so():
    figure = figures.image_grid(np.zeros((MOST + 5, 4, 4)), title="All")
    (panel,) = figure.axes
    assert len(panel.images) == MOST
    assert panel.texts[0].get_text() == f"All (first {MOST} of {MOST + 5})"


def test_filters_are_white_at_zero_blue_above_and_orange_below():
    figure = figures.filters(np.array([[[-1.0, 0.0, 1.0]]]))
    shades = np.asarray(figure.axes[0].images[0].get_array())[0]
    assert shades[1].min() > 0.95
    assert shades[0, 0] > shades[0, 2]
    assert shades[2, 2] > shades[2, 0]


def test_reconstructions_share_one_scale():
    originals, reconstructed = np.array([[[0.0, 16.0]]]), np.array([[[0.0, 8.0]]])
    before, after, difference = (
        np.asarray(image.get_array())[0, :, 0]
        for image in figures.reconstructions(originals, reconstructed).axes[0].images
    )
    np.testing.assert_allclose(before, [0, 1])
    np.testing.assert_allclose(after, [0, 0.5])
    np.testing.assert_allclose(difference, [1, 0.5])


def test_code_map_of_many_features_is_the_principal_plane():
    codes = RANDOM.normal(size=(50, 5)) * [5, 1, 3, 0.1, 0.1]
    (panel,) = figures.code_map(codes).axes
    drawn = np.asarray(panel.collections[0].get_offsets())
    expected = PCA(2).fit_transform(codes)
    np.testing.assert_allclose(np.abs(drawn), np.abs(expected), atol=1e-8)
    share = PCA(2).fit(codes).explained_variance_ratio_[0]
    assert f"{share:.0%}" in panel.get_xlabel()


def test_forecast_states_the_error_of_every_method():
    truth = np.array([1.0, 2.0, 3.0])
    (panel,) = figures.forecast(np.zeros(5), truth, {"net": truth + 0.5, "last value": np.zeros(3)}).axes
    assert legend(panel) == ["history", "truth", "net  (0.5)", "last value  (2)"]


def test_scatter_states_fit_and_error():
    truth, predicted = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])
    (panel,) = figures.scatter(truth, predicted).axes
    assert panel.get_title(loc="left") == "R² 0.500, mean absolute error 0.3333"


@pytest.mark.parametrize("scores", [False, True])
def test_decision_regions_are_the_answers(scores):
    def answer(points):
        right = (points[:, 0] > 0.25).astype(int)
        return np.eye(2)[right] if scores else right

    inputs = np.array([[0.0, 0.0, 7.0], [1.0, 1.0, 9.0]])
    seen = []
    figure = figures.decision_regions(
        lambda points: seen.append(points) or answer(points), inputs, np.array([0, 1]), ["left", "right"]
    )
    regions = np.asarray(figure.axes[0].images[0].get_array())
    across = np.linspace(-0.12, 1.12, regions.shape[1])
    np.testing.assert_array_equal(regions, np.tile(across > 0.25, (regions.shape[0], 1)))
    np.testing.assert_allclose(seen[0][:, 2], 8.0)
    assert legend(figure.axes[0]) == ["left", "right"]
    assert "1 more column held" in figure.axes[0].get_title(loc="left")


def test_returns_draw_the_running_mean_and_the_threshold():
    (panel,) = figures.returns(np.arange(100.0), 42.0).axes
    episodes, mean, threshold = panel.lines
    assert list(episodes.get_ydata()) == list(range(100))
    np.testing.assert_allclose(mean.get_ydata()[-1], np.mean(np.arange(90, 100)))
    assert set(threshold.get_ydata()) == {42.0}


def test_frames_are_the_first_the_last_and_evenly_between():
    images = np.arange(15, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    (panel,) = figures.frames(images).axes
    assert [entry.get_text() for entry in panel.texts] == [f"frame {i}" for i in range(0, 15, 2)]
    np.testing.assert_allclose(panel.images[-1].get_array()[0, 0], 14 / 255)


def test_long_names_keep_both_ends():
    short = text("a very long name of a class, number 17", 20)
    assert len(short) <= 20
    assert re.fullmatch(r"a very.*…\S* 17", short) or short.endswith("17")


def test_letters_that_the_font_lacks_do_not_warn(tmp_path):
    figure = figures.confusion_matrix(np.eye(2), ["犬", "猫"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert figures.save(figure, Path(tmp_path) / "f.png").exists()


def test_the_palette_is_distinct():
    assert len(set(PALETTE)) == len(PALETTE) == 10
    assert PALETTE[0] == BLUE


def test_no_drawing_has_the_name_of_a_file() -> None:
    """Which would take its place in the package as soon as somebody imports the file."""
    files = {path.stem for path in Path(figures.__file__).parent.glob("*.py")}
    assert not files & set(figures.__all__)
