import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image

import mnistpipe
from mnistpipe import classifier as classifier_module
from mnistpipe.classifier import PRETRAINED, ImageClassifier, load
from mnistpipe.data.folder import read_folder
from mnistpipe.data.idx import read_idx
from mnistpipe.files.artifacts import read_json
from mnistpipe.files.errors import UserError
from mnistpipe.images.prepare import Preparation
from mnistpipe.networks.model_files import read_any_model, write_model
from tests.conftest import ROOT
from tests.images.drawings import CHANGES, changed, draw


@pytest.fixture(scope="module")
def classifier() -> ImageClassifier:
    return load()


@pytest.mark.parametrize("change", CHANGES)
def test_digits_are_read_however_they_were_written(
    classifier: ImageClassifier, change: str
) -> None:
    answers = classifier.classify([changed(change, digit) for digit in range(10)])
    assert [answer.label for answer in answers] == list("0123456789")


def test_an_answer_says_how_sure_it_is(classifier: ImageClassifier) -> None:
    sure, doubtful, empty = classifier.classify(
        [draw(3), np.minimum(draw(4), draw(5)), np.zeros((30, 30), np.uint8)]
    )
    assert sure.sure
    assert not doubtful.sure
    assert doubtful.probability < classifier.settings.sure_from < sure.probability
    assert list(sure.probabilities) == list(classifier.card.classes)
    assert sum(sure.probabilities.values()) == pytest.approx(1)
    ranked = sorted(sure.probabilities, key=sure.probabilities.__getitem__)
    assert (sure.label, sure.runner_up) == (ranked[-1], ranked[-2])
    assert sure.probability == sure.probabilities["3"]
    assert (empty.label, empty.runner_up, empty.probability, empty.sure) == (None, None, 0, False)


def test_every_form_of_an_image_gives_the_same_answer(
    classifier: ImageClassifier, tmp_path: Path
) -> None:
    grey = draw(5)
    Image.fromarray(grey).save(tmp_path / "five.png")
    (expected,) = classifier.classify(grey)
    forms: list[Any] = [
        tmp_path / "five.png",
        str(tmp_path / "five.png"),
        Image.fromarray(grey),
        Image.fromarray(grey).convert("RGBA"),
        grey[None],
        grey / 255,
        (grey / 255).astype(np.float32),
    ]
    for form in forms:
        for images, n_images in ((form, 1), ([form, form], 2)):
            answers = classifier.classify(images)
            assert [answer.label for answer in answers] == ["5"] * n_images
            assert answers[-1].probabilities == pytest.approx(expected.probabilities, abs=1e-6)
    assert [a.label for a in classifier.classify(np.stack([grey] * 3))] == ["5"] * 3
    assert classifier.classify([]) == []
    assert classifier.features([]).shape == (0, 96)


def test_features_are_what_the_last_layer_gets(classifier: ImageClassifier) -> None:
    features = classifier.features([draw(2), draw(9)])
    logits = classifier.network.fc2(torch.from_numpy(features)).detach()
    assert features.shape == (2, 96)
    assert [classifier.card.classes[i] for i in logits.argmax(dim=1)] == ["2", "9"]


ARRAYS: list[tuple[ndarray, str]] = [
    (np.zeros((2, 9, 9, 3), np.uint8), r"shape \(2, 9, 9, 3\), uint8, 0 to 0; colours"),
    (np.arange(9).reshape(3, 3), r"shape \(3, 3\), int64, 0 to 8"),
    (np.full((3, 3), 1.5), r"shape \(3, 3\), float64, 1.5 to 1.5"),
    (np.full((3, 3), np.nan), r"float64, nan to nan"),
    (np.zeros((0, 5), np.uint8), r"shape \(0, 5\)"),
    (np.zeros(5), r"shape \(5,\)"),
]


@pytest.mark.parametrize(("array", "said"), ARRAYS)
def test_an_array_of_another_kind_is_named_with_what_is_wanted(
    classifier: ImageClassifier, array: ndarray, said: str
) -> None:
    for images in (array, [array]):
        with pytest.raises(UserError, match=said) as caught:
            classifier.classify(images)
        assert "(h, w) or (n, h, w) of uint8 grey levels 0..255" in str(caught.value)


@pytest.mark.parametrize("preparation", ["mnist", "resize"])
def test_images_are_prepared_as_those_of_a_folder_were_that_a_network_was_trained_on(
    tmp_path: Path, preparation: Preparation
) -> None:
    for number in range(20):
        path = tmp_path / f"train/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw(number % 2)).save(path)
    title = read_folder(tmp_path, preparation, print).title
    network, card = read_any_model(PRETRAINED)
    write_model(tmp_path / "own.safetensors", network, replace(card, dataset=title))
    own = load(tmp_path / "own.safetensors")
    assert own.preparation == preparation
    assert load(tmp_path / "own.safetensors", "mnist").preparation == "mnist"


MISTAKES = """
import mnistpipe, torch
classifier = mnistpipe.load()
for call, thing in (
    (classifier.classify, torch.zeros(3, 3)),
    (classifier.classify, 7),
    (classifier.features, [b"abc"]),
    (mnistpipe.load, "nowhere.safetensors"),
    (lambda crop: mnistpipe.load(preparation=crop), "crop"),
):
    try:
        call(thing)
    except mnistpipe.UserError as error:
        print(error)
"""


def test_anything_but_an_image_is_one_sentence() -> None:
    """In a process of its own: here the arguments' types are checked before."""
    done = subprocess.run(
        [sys.executable, "-c", MISTAKES], capture_output=True, text=True, check=True, cwd=ROOT
    )
    tensor, number, text, missing, crop = done.stdout.splitlines()
    for line, kind in (
        (tensor, "torch.Tensor"),
        (number, "builtins.int"),
        (text, "builtins.bytes"),
    ):
        assert line.startswith("An image should be a path, a PIL image or a NumPy array (h, w)")
        assert line.endswith(f", not {kind}.")
    assert missing.startswith("nowhere.safetensors is missing")
    assert crop == "preparation should be mnist or resize, not 'crop'."


def test_resizing_takes_an_image_as_it_is() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (28, 28), dtype=np.uint8)
    prepared, drawn = load(preparation="resize").prepare(grey)
    assert np.array_equal(prepared, grey[None])
    assert drawn.tolist() == [True]


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.safetensors is missing"):
        load(tmp_path / "none.safetensors")
    (tmp_path / "net.safetensors").write_bytes(PRETRAINED.read_bytes())
    assert load(tmp_path / "net.safetensors").settings.temperature == 1
    (tmp_path / "net.json").write_text('{"temperature": "warm"}')
    with pytest.raises(UserError, match=r"net.json is no JSON file with a network's temperature"):
        load(tmp_path / "net.safetensors")


@pytest.mark.mnist
def test_the_network_is_as_good_as_its_card_says(mnist_mirror: Path) -> None:
    images = read_idx(mnist_mirror / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(mnist_mirror / "t10k-labels-idx1-ubyte.gz")
    answers = load(preparation="resize").classify(images)
    right = np.array([int(str(a.label)) for a in answers]) == labels
    card = read_json(PRETRAINED.with_suffix(".json"))
    assert right.mean() == pytest.approx(card["test_accuracy"], abs=0.0002)
    assert right.mean() > 0.9945
    assert right[[answer.sure for answer in answers]].mean() > 0.998


@pytest.mark.mnist
def test_mnists_digits_are_known_again_in_other_files(
    classifier: ImageClassifier, mnist_mirror: Path, tmp_path: Path
) -> None:
    """Of other sizes, inverted, shifted, with margins, as PNG and JPEG."""
    images = read_idx(mnist_mirror / "t10k-images-idx3-ubyte.gz")[:200]
    generator = np.random.default_rng(0)
    files = []
    for number, image in enumerate(images):
        top, bottom, left, right = generator.integers(0, 15, 4)
        wide = np.pad(image, ((top, bottom), (left, right)))
        wide = 255 - wide if generator.random() < 0.5 else wide
        scale = generator.uniform(0.8, 10)
        height, width = (round(scale * length) for length in wide.shape)
        suffix = generator.choice(["png", "jpeg"])
        picture = Image.fromarray(wide).resize((width, height), Image.Resampling.BICUBIC)
        picture.save(tmp_path / f"{number}.{suffix}")
        files.append(tmp_path / f"{number}.{suffix}")
    own = load(preparation="resize").classify(images)
    changed = classifier.classify(files)
    agree = np.mean([a.label == b.label for a, b in zip(own, changed, strict=True)])
    assert agree >= 0.985


def test_the_public_names_come_without_pytorch_until_they_are_used() -> None:
    """In a fresh process; their types stand in a stub, which says the same names."""
    code = (
        "import sys, mnistpipe; before = 'torch' in sys.modules or 'numpy' in sys.modules;"
        "mnistpipe.load; print(before, 'torch' in sys.modules, 'pandas' in sys.modules,"
        "'sklearn' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["False", "True", "False", "False", "False"]
    assert classifier_module.__all__ == ["Answer", "ImageClassifier", "UserError", "load"]
    stub = (ROOT / "mnistpipe" / "__init__.pyi").read_text()
    for name in classifier_module.__all__:
        assert getattr(mnistpipe, name).__doc__
        assert f"import {name} as {name}" in stub
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        getattr(mnistpipe, "lode")  # noqa: B009 (mypy knows that it is not there)


def test_what_is_not_code_goes_along_in_a_package() -> None:
    folder = ROOT / "mnistpipe"
    for file in ("py.typed", "__init__.pyi", "pretrained/net.safetensors", "pretrained/net.json"):
        assert (folder / file).exists()
    assert '"py.typed", "*.pyi", "pretrained/*"' in (ROOT / "pyproject.toml").read_text()
