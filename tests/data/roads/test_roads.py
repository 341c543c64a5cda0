"""Drawn roads: where a pixel looks, what is steered on a circle, and that who steers well stays on the road."""

from dataclasses import replace

import numpy as np
import pytest

from ganglion.data.roads.camera import (
    ABOVE,
    ACROSS,
    DOWN,
    HEIGHT,
    WIDTH,
    Poses,
    stretch,
    views,
)
from ganglion.data.roads.driving import AIM, Look, Steer, by_sight_of_the_road, drive, roads_to_drive, wanted
from ganglion.data.roads.roads import FAR, STEP, TIGHTEST, Roads
from ganglion.data.sources.generators import generate

POINTS = 80


def circles(curvatures: np.ndarray) -> Roads:
    """Roads that turn to the left with these curvatures, white on black, without anything on them."""
    count = len(curvatures)
    along = np.arange(POINTS) * STEP
    headings = curvatures[:, None] * along
    bends = np.where(np.abs(curvatures) < 1e-9, 1e-9, curvatures)[:, None]
    middles = np.stack([np.sin(bends * along) / bends, (1 - np.cos(bends * along)) / bends], axis=-1)
    colours = np.tile(np.array([[0.0] * 3, [1.0] * 3, [0.5] * 3]), (count, 1, 1))
    nothing = np.full((count, 1, 5), FAR)
    return Roads(middles, headings, np.full(count, 5.0), colours, np.zeros((count, 2), bool), nothing, nothing[..., :3])


def at(roads: Roads, offset: float = 0.0, angle: float = 0.0, point: int = 8) -> tuple[Poses, np.ndarray]:
    every = np.ones(len(roads))
    return Poses.beside(roads, point, offset * every, angle * every), np.full(len(roads), point)


def test_an_edge_of_a_straight_road_is_where_a_pinhole_camera_sees_it() -> None:
    roads = circles(np.zeros(1))
    picture = views(roads, stretch(roads, *at(roads)), None, size=(HEIGHT, 20 * WIDTH))[0, ..., 0] / 255
    for row in (5, 12, 20):
        # A ray through the middle of the row falls by its angle and meets the ground; the edge is 2.5 m to the left.
        fall = np.radians(DOWN[0] + (DOWN[1] - DOWN[0]) * (row + 0.5) / HEIGHT)
        along_the_ray = ABOVE / np.sin(fall)
        share = (1 - 2.5 / along_the_ray / np.tan(np.radians(ACROSS))) / 2
        expected = max(share, 0.0) * 20 * WIDTH
        assert abs((picture[row] < 0.5).argmin() - expected) <= 3, row


def test_a_road_seen_from_the_other_side_is_the_mirror_image() -> None:
    roads = circles(np.array([0.02, -0.02]))
    left = views(roads, stretch(roads, *at(roads, 1.2, 0.1)), None)[0]
    right = views(roads, stretch(roads, *at(roads, -1.2, -0.1)), None)[1]
    np.testing.assert_allclose(left[:, ::-1].astype(int), right.astype(int), atol=1)
    assert left.std() > 20


@pytest.mark.parametrize("curvature", [-1 / 30, -0.01, 0.0, 0.015, 1 / 28])
def test_who_is_in_the_middle_of_a_circle_steers_along_its_chord(curvature: float) -> None:
    roads = circles(np.array([curvature]))
    direction = wanted(stretch(roads, *at(roads)))
    expected = -np.degrees(np.arcsin(AIM * curvature / 2))
    assert direction[0] == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("offset", "angle"), [(1.5, 0.0), (-0.7, 0.2), (0.0, -0.15)])
def test_offsets_and_ways_back_of_a_straight_road(offset: float, angle: float) -> None:
    roads = circles(np.zeros(1))
    seen = stretch(roads, *at(roads, offset, angle))
    assert seen.offsets[0] == pytest.approx(offset, abs=1e-9)
    # The middle is met where the square of the way along and of the offset make up the distance.
    along = np.sqrt(AIM**2 - offset**2)
    assert wanted(seen)[0] == pytest.approx(np.degrees(np.arctan2(offset, along) + angle), abs=1e-3)


def test_good_steering_keeps_to_the_road_and_none_does_not() -> None:
    roads = roads_to_drive(3, 8, 200)
    good = drive(roads, by_sight_of_the_road, 200, push=0.1)
    assert (good.metres == 200).all() and not good.left.any() and np.abs(good.offsets).max() < 2.2
    straight: Steer = lambda look, seen: np.zeros(len(seen.points))  # noqa: E731
    lost = drive(roads, straight, 200)
    assert lost.left.mean() > 0.8 and lost.metres.mean() < 150
    wrong: Steer = lambda look, seen: -wanted(seen)  # noqa: E731
    assert drive(roads, wrong, 200).metres.max() < lost.metres.max()


def test_a_drive_is_a_function_of_its_seed_and_a_car_of_its_own_road() -> None:
    roads = roads_to_drive(3, 4, 60)
    seen: list[np.ndarray] = []

    def steer(look: Look, stretch: object) -> np.ndarray:
        pictures = look()
        seen.append(pictures)
        return 20 * (pictures[:, :, WIDTH // 2 :].mean((1, 2, 3)) - pictures[:, :, : WIDTH // 2].mean((1, 2, 3))) / 255

    first, second = (drive(roads, steer, 60, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.offsets, second.offsets)
    assert seen[0].shape == (4, HEIGHT, WIDTH, 1) and seen[0].dtype == np.uint8
    blind = [drive(one, by_sight_of_the_road, 60).offsets for one in (roads, roads.take(np.array([2])))]
    np.testing.assert_allclose(blind[0][:, 2], blind[1][:, 0], atol=1e-12)


def test_roads_bend_no_more_than_they_should_and_shadows_darken() -> None:
    roads = Roads.drawn(np.random.default_rng(0), 40, 100)
    assert np.abs(np.diff(roads.headings, axis=1)).max() <= TIGHTEST * STEP + 1e-12
    places = Poses.beside(roads, 20, np.zeros(40), np.zeros(40))
    seen = stretch(roads, places, np.full(40, 20))
    bare = replace(roads, shadows=np.full_like(roads.shadows, FAR))
    shaded, light = views(roads, seen, None), views(bare, seen, None)
    assert (shaded <= light).all() and 0.02 < (shaded < light).mean() < 0.5


def test_roads_are_brighter_than_what_is_beside_them_unless_any_are_wanted() -> None:
    def contrast(surface: str) -> np.ndarray:
        colours = Roads.drawn(np.random.default_rng(1), 300, 20, surface).colours.mean(-1)
        return colours[:, 1] - colours[:, 0]

    assert contrast("bright").min() > 0.1
    both = contrast("any")
    assert np.abs(both).min() > 0.08 and 0.35 < (both < 0).mean() < 0.65


def test_scenes_of_a_good_driver_show_fewer_ways_back() -> None:
    every, driven = (generate(name, count=400) for name in ("road-scenes", "driven-road-scenes"))
    assert np.asarray(every.inputs).shape == (320, 30, 32, 1) and len(every.test_inputs) == 80
    assert every.target_names == ("direction",)
    assert np.std(every.targets) > 1.4 * np.std(driven.targets)
