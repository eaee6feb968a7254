import base64
import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy import ndarray
from PIL import Image

from mnistpipe.analysis.features import Mistakes, Neighbours
from mnistpipe.data.catalogue import TITLE_ENDS
from mnistpipe.data.split import Labelled, Split, split_dataset
from mnistpipe.page.pictures import (
    MOST_CLASSES,
    MOST_DISPUTED,
    count_edges,
    show_disputed,
    show_examples,
    show_kernels,
    show_mistakes,
    show_neighbours,
)
from mnistpipe.report.confidence import DISPUTED_COLUMNS, DisputedImage, disputed_images

NAMES = ("cat & dog", "<b>")
IMAGES = Labelled(
    np.arange(6, dtype=np.uint8)[:, np.newaxis, np.newaxis] * np.ones((1, 28, 28), np.uint8),
    np.array([0, 1, 0, 1, 0, 1]),
)
SPLIT = Split("", NAMES, IMAGES, IMAGES, IMAGES, np.arange(6), np.arange(6))


def pictures_in(html: str) -> list[ndarray]:
    found = re.findall(r'src="data:image/png;base64,([^"]+)"', html)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(each)))) for each in found]


def test_examples_are_of_their_class_and_counted() -> None:
    html = show_examples(SPLIT)
    first, second = pictures_in(html)
    assert first.shape == (28, 3 * 28)
    assert (255 - first[0, ::28]).tolist() == [0, 2, 4]
    assert (255 - second[0, ::28]).tolist() == [1, 3, 5]
    assert re.findall(r"<b>(.*?)</b>.*?<span>(\d)</span>", html) == [
        ("cat &amp; dog", "3"),
        ("&lt;b&gt;", "3"),
    ]


def test_of_many_classes_the_first_have_examples() -> None:
    many = tuple(f"c{number}" for number in range(MOST_CLASSES + 5))
    assert show_examples(replace(SPLIT, classes=many)).count("<li>") == MOST_CLASSES


def test_a_mistake_says_what_it_is_and_was_taken_for() -> None:
    mistakes = Mistakes(np.array([3, 2]), np.array([0, 1]), np.array([0.987, 0.6]))
    html = show_mistakes(SPLIT, mistakes, 1)
    (picture,) = pictures_in(html)
    assert (255 - picture == 3).all()
    text = re.sub(r"<[^>]+>", " ", html).split()
    assert " ".join(text) == "&lt;b&gt; taken for cat &amp; dog 98.7%"
    assert 'alt="test image 3"' in html


def test_disputed_images_are_those_of_their_sets_and_marked_where_reviewers_rejected_them() -> None:
    many = Labelled(
        (np.arange(1000) % 251).astype(np.uint8)[:, np.newaxis, np.newaxis]
        * np.ones((1, 28, 28), np.uint8),
        np.arange(1000) % 2,
    )
    split = split_dataset("MNIST", NAMES, many, many, validation_fraction=0.1, seed=0)
    in_validation = int(split.validation_indices[0])
    in_training = int(split.train_indices[-1])
    rows = [
        ("test", 947, "4", "9", 3, 3, 0.1),
        ("test", 5, "<b>", "9", 2, 3, 0.2),
        ("validation", in_validation, "4", "9", 2, 3, 0.3),
        ("train", in_training, "4", "9", 2, 3, 0.4),
    ]
    disputed = disputed_images(pd.DataFrame(rows, columns=[*DISPUTED_COLUMNS]), reviewed=True)
    html = show_disputed(split, disputed)
    shown = [int(255 - picture[0, 0]) for picture in pictures_in(html)]
    assert shown == [number % 251 for number in (947, 5, in_validation, in_training)]
    assert html.count('class="rejected"') == 1
    assert 'labelled <b>4</b><br>3 of 3 say <b class="wrong">9</b><small>reviewers said 9<' in html
    assert "labelled <b>&lt;b&gt;</b>" in html
    assert "review" not in show_disputed(
        split, [replace(each, reviewers=None) for each in disputed]
    )


def test_of_many_disputed_images_most_stand_behind_a_fold_and_not_all() -> None:
    split = split_dataset("", NAMES, IMAGES, IMAGES, validation_fraction=0.5, seed=0)
    one = DisputedImage("test", 1, "4", "9", 2, 3, 0.1, None)
    first, rest = show_disputed(split, [one] * 999).split("<details>")
    assert 0 < first.count("<li>") < rest.count("<li>")
    assert first.count("<li>") + rest.count("<li>") == MOST_DISPUTED


def test_neighbours_of_another_class_are_counted() -> None:
    indices = np.array([[2, 1]] * 6)
    neighbours = Neighbours(indices, np.zeros((6, 2)))
    html = show_neighbours(SPLIT, np.array([0, 5]), neighbours)
    assert re.findall(r"(\d of \d)", html) == ["1 of 2", "1 of 2"]
    _, found, *_ = pictures_in(html)
    assert (255 - found[0, ::28]).tolist() == [2, 1]


def test_whole_pictures_are_as_they_are() -> None:
    pets = replace(SPLIT, title=f"pets {TITLE_ENDS['resize']}")
    neighbours = Neighbours(np.array([[2, 1]] * 6), np.zeros((6, 2)))
    html = [
        show_examples(pets),
        show_mistakes(pets, Mistakes(np.array([3]), np.array([0]), np.array([0.9])), 1),
        show_disputed(pets, [DisputedImage("test", 4, "4", "9", 2, 3, 0.1, None)]),
        show_neighbours(pets, np.array([5]), neighbours),
    ]
    shown = [picture[0, ::28].tolist() for picture in pictures_in("".join(html))]
    assert shown == [[0, 2, 4], [1, 3, 5], [3], [4], [5], [2, 1]]


def test_a_kernel_is_an_edge_if_half_a_turn_makes_it_its_negative() -> None:
    edge = np.array([[1.0, 1, 1], [0, 0.3, 0], [-1, -1, -1]])
    line, blank = edge**2, np.zeros((3, 3))
    assert count_edges(np.stack([edge, -edge.T, line, blank, edge + 2])[:, np.newaxis]) == 2


def test_kernels_are_on_one_scale_symmetric_about_zero() -> None:
    kernels = np.zeros((9, 1, 2, 2))
    kernels[0, 0, 0, 0], kernels[8, 0, 1, 1] = -0.5, 0.25
    html = show_kernels(kernels)
    (sheet,) = pictures_in(html)
    assert sheet.shape == (5, 8 * 3 - 1, 4)
    assert (sheet[2, :, 3] == 0).all()  # between the rows nothing is drawn
    red, _, blue, _ = sheet[0, 0].astype(int)
    assert red > blue  # orange
    assert re.search(r"9 kernels of 2.2 weights between -0.50 and 0.50", html)
