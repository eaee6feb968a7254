import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy import ndarray
from PIL import Image

from mnistpipe.analysis.examined import Examined
from mnistpipe.analysis.features import find_neighbours
from mnistpipe.page import payload
from mnistpipe.page.payload import pack_images, pick_images
from tests.page.javascript import run_javascript


def make_examined(count: int, n_classes: int = 10) -> Examined:
    generator = np.random.default_rng(0)
    return Examined(
        labels=generator.integers(0, n_classes, count),
        logits=generator.normal(0, 3, (count, n_classes)).astype(np.float32),
        features=np.maximum(generator.normal(0, 1, (count, 96)), 0).astype(np.float32),
        embedded=generator.normal(0, 20, (count, 2)).astype(np.float32),
    )


def images_of(count: int) -> ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def unpacked(packed: dict[str, Any], name: str, kind: str) -> ndarray:
    return np.frombuffer(base64.b64decode(packed[name]), kind)


def test_images_are_tiles_of_ink_in_sixteen_tints() -> None:
    images = images_of(30)
    packed = pack_images(images, make_examined(30))
    png = base64.b64decode(packed["sprite"].removeprefix("data:image/png;base64,"))
    assert png[24] == 4  # bits a pixel
    ink = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))[..., 3]
    assert ink.shape == (5 * 28, 6 * 28)
    tiles = ink.reshape(5, 28, 6, 28).swapaxes(1, 2).reshape(30, 28, 28)
    assert np.abs(tiles.astype(int) - images).max() <= 8


def test_numbers_are_those_of_the_analysis_as_near_as_they_have_to_be() -> None:
    known = make_examined(300, n_classes=26)
    packed = pack_images(images_of(300), known)
    np.testing.assert_array_equal(unpacked(packed, "labels", "u1"), known.labels)
    np.testing.assert_array_equal(unpacked(packed, "predicted", "u1"), known.logits.argmax(1))
    neighbours = unpacked(packed, "neighbours", "<u2").reshape(300, 8)
    np.testing.assert_array_equal(neighbours, find_neighbours(known.features, 8).indices)
    features = unpacked(packed, "features", "u1").reshape(300, 96) * unpacked(
        packed, "scale", "<f4"
    )
    np.testing.assert_allclose(features, known.features, atol=known.features.max() / 500)
    probabilities = unpacked(packed, "probabilities", "u1").reshape(300, 26) / 200
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=0.06)
    places = unpacked(packed, "places", "<u2").reshape(300, 2).astype(float)
    (x, y), (given_x, given_y) = places.T, known.embedded.T
    assert max(np.ptp(x), np.ptp(y)) == 65_535
    assert np.corrcoef(x, given_x)[0, 1] > 0.9999
    assert np.ptp(x) / np.ptp(y) == pytest.approx(np.ptp(given_x) / np.ptp(given_y), rel=1e-3)


def test_of_a_larger_test_set_evenly_spaced_images_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(payload, "MOST_IMAGES", 51)
    known = make_examined(101)
    packed = pack_images(images_of(101), known)
    np.testing.assert_array_equal(unpacked(packed, "numbers", "<u4"), np.arange(0, 101, 2))
    np.testing.assert_array_equal(unpacked(packed, "labels", "u1"), known.labels[::2])
    assert pick_images(3).tolist() == [0, 1, 2]


def test_a_drawings_neighbours_are_nearly_always_those_of_the_exact_features(
    tmp_path: Path,
) -> None:
    known = make_examined(500)
    packed = pack_images(images_of(500), known)
    given = {
        "packed": packed | {"classes": []},
        "wanted": known.features[:50].tolist(),
    }
    expression = """((data) => given.wanted.map((features) => nearestImages(data, features, 9)))
        (unpack(given.packed))"""
    found = np.array(run_javascript(tmp_path, ["net", "images"], expression, given))
    np.testing.assert_array_equal(found[:, 0], np.arange(50))  # each is nearest to itself
    exact = find_neighbours(known.features, 8).indices[:50]
    shared = [
        len({*ours} & {*theirs}) / 8 for ours, theirs in zip(found[:, 1:], exact, strict=True)
    ]
    assert np.mean(shared) > 0.97
