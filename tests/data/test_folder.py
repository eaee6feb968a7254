"""Images of one's own, as people have them in folders."""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy import ndarray
from PIL import Image

from mnistpipe.data.datasets import PACKED, Dataset, load_raw, write_packed
from mnistpipe.data.folder import natural, read_folder
from mnistpipe.data.idx import read_idx
from mnistpipe.data.split import Labelled, Split, split_dataset
from mnistpipe.files.errors import UserError
from mnistpipe.images.prepare import Preparation
from mnistpipe.training.recipe import Recipe
from mnistpipe.training.trials import Trial, run_trial
from tests.conftest import TEN


def noise(*shape: int, seed: int = 0) -> ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, image: ndarray | Image.Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)
    return path


def fill(folder: Path, part: str, classes: Iterable[str], n_each: int = 5) -> None:
    """Images whose grey level is their number in the class."""
    for name in classes:
        for number in range(n_each):
            save(folder / part / name / f"{number}.png", np.full((28, 28), number, np.uint8))


def read(folder: Path, preparation: Preparation = "resize") -> Dataset:
    told: list[str] = []
    dataset = read_folder(folder, preparation, told.append)
    assert not told
    return dataset


def refusal(folder: Path) -> str:
    """The one sentence that reading gives, with the folder as a dot."""
    with pytest.raises(UserError) as caught:
        read_folder(folder, "resize", lambda _: None)
    text = str(caught.value).replace(str(folder), ".")
    assert "\n" not in text
    return text


def levels(examples: Labelled) -> list[int]:
    """The first pixel of each image."""
    return [int(image[0, 0]) for image in examples.images]


def test_a_folder_for_each_class_is_a_data_set(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("10", "9", "Ähre", "t-shirt, rot"))
    fill(tmp_path, "test", ("9", "t-shirt, rot"), 2)
    dataset = read(tmp_path)
    assert dataset.title == f"{tmp_path.name} (own images)"
    assert dataset.classes == ("9", "10", "t-shirt, rot", "Ähre")
    assert dataset.train.labels.tolist() == [0, 1, 2, 3] * 5
    assert levels(dataset.train) == [n for n in range(5) for _ in range(4)]
    assert dataset.test.labels.tolist() == [0, 2] * 2
    assert dataset.validation is None
    assert dataset.notes == ()


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["b10", "B9", "a", "img2b1", "img2a", "img10", "007", "7", "", "1.5", "1.25"]
    assert sorted(names, key=natural) == [
        "", "1.5", "1.25", "007", "7", "a", "B9", "b10", "img2a", "img2b1", "img10",
    ]  # fmt: skip


def test_images_lie_at_any_depth_and_what_is_hidden_is_none(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("cat", "dog"))
    save(tmp_path / "train/cat/more/of them/9.png", np.full((28, 28), 9, np.uint8))
    save(tmp_path / "train/.trash/1.png", noise(5, 5))
    save(tmp_path / "train/cat/.thumbs/1.png", noise(5, 5))
    for name in (
        "train/cat/.DS_Store",
        "train/dog/Thumbs.db",
        "train/notes.txt",
        "train/cat/.x.png",
    ):
        (tmp_path / name).write_bytes(b"none")
    fill(tmp_path, "test", ("cat", "dog"), 1)
    dataset = read(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert levels(dataset.train) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 9]


@pytest.mark.parametrize("name", ["val", "validation"])
def test_a_validation_set_of_ones_own_is_taken(tmp_path: Path, name: str) -> None:
    fill(tmp_path, "train", ("cat", "dog"))
    fill(tmp_path, name, ("dog",), 3)
    fill(tmp_path, "test", ("cat", "dog"), 1)
    dataset = read(tmp_path)
    assert dataset.validation is not None
    assert dataset.notes == (
        f"the validation set is {name}/: prepare-split.validation_fraction is not used",
    )
    split = split_of(dataset)
    assert split.train is dataset.train
    assert split.validation.labels.tolist() == [1, 1, 1]
    assert split.validation_indices.tolist() == [10, 11, 12]


def test_without_a_test_set_a_fifth_of_each_class_is_set_aside(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("cat",), 20)
    fill(tmp_path, "train", ("dog",), 5)
    dataset = read(tmp_path)
    assert np.bincount(dataset.test.labels).tolist() == [4, 1]
    assert np.bincount(dataset.train.labels).tolist() == [16, 4]
    cats = [*levels(dataset.train), *levels(dataset.test)]
    assert sorted(cats) == sorted([*range(20), *range(5)])
    assert np.array_equal(read(tmp_path).test.images, dataset.test.images)
    assert dataset.notes == ("without test/, a fifth of each class of train/ is the test set",)


def test_pictures_of_all_kinds_become_grey_levels_of_28_by_28(tmp_path: Path) -> None:
    grey = np.zeros((56, 56), np.uint8)
    grey[14:42, 20:36] = 200
    image = Image.fromarray(grey)
    kinds = {
        "png": image,
        "rgb.png": image.convert("RGB"),
        "palette.png": image.convert("P"),
        "bits.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "alpha.png": Image.merge("LA", (image, Image.new("L", image.size, 255))),
        "bmp": image,
        "gif": image,
        "tiff": image,
        "webp": image.convert("RGB"),
        "JPEG": image.convert("CMYK"),
    }
    for number, (suffix, picture) in enumerate(kinds.items()):
        save(tmp_path / "train/a" / f"{number}.{suffix}", picture)
    fill(tmp_path, "train", ("b",), 5)
    fill(tmp_path, "test", ("b",), 1)
    train = read(tmp_path).train
    first, *others = train.images[train.labels == 0]
    assert len(others) == len(kinds) - 1
    assert first[14, 14] == 200
    for other in others:
        assert np.abs(other.astype(int) - first).max() < 30


def test_the_preparation_of_mnist_centres_what_is_drawn(tmp_path: Path) -> None:
    paper = np.full((90, 60), 250, np.uint8)
    paper[5:45, 8:16] = 20
    for name in ("a", "b"):
        for number in range(5):
            save(tmp_path / "train" / name / f"{number}.png", paper)
    resized, prepared = (read(tmp_path, way).train.images[0] for way in ("resize", "mnist"))
    assert resized[0, 27] > 200
    assert prepared[0, 27] == 0
    assert np.average(np.arange(28), weights=prepared.sum(axis=1)) == pytest.approx(14, abs=1)


@pytest.mark.faults
def test_a_few_files_that_are_no_images_are_named_and_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("cat", "dog"))
    fill(tmp_path, "test", ("cat",), 1)
    (tmp_path / "train/cat/0.png").write_bytes(b"no image")
    (tmp_path / "train/dog/labels.csv").write_text("a,b")
    cut = (tmp_path / "train/dog/4.png").read_bytes()[:50]
    (tmp_path / "train/dog/4.png").write_bytes(cut)
    told: list[str] = []
    dataset = read_folder(tmp_path, "resize", told.append)
    assert levels(dataset.train) == [0, 1, 1, 2, 2, 3, 3, 4]
    assert told[0] == f"3 of 12 files in {tmp_path} cannot be used and are passed over:"
    assert [re.sub(r" is .*", "", line) for line in told[1:]] == [
        f"  {tmp_path}/train/{name}" for name in ("cat/0.png", "dog/4.png", "dog/labels.csv")
    ]
    assert dataset.notes == ("3 of 12 files are no images, and passed over",)
    (tmp_path / "train/cat/1.png").write_bytes(b"")
    text = refusal(tmp_path)
    assert text.startswith("4 of 12 files in . cannot be used, and no more than 3 are passed over")
    assert "; mend or remove them. ./train/cat/0.png is no image" in text
    assert "; convert it into one. ./train/cat/1.png is empty (0 bytes); save" in text


@pytest.mark.faults
def test_of_many_files_one_in_a_hundred_may_be_no_image(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("cat", "dog"), 250)
    fill(tmp_path, "test", ("cat",), 1)
    for number in range(5):
        (tmp_path / f"train/cat/{number}.png").write_bytes(b"")
    assert len(read_folder(tmp_path, "resize", lambda _: None).train) == 495
    (tmp_path / "train/cat/5.png").write_bytes(b"")
    assert refusal(tmp_path).startswith("6 of 501 files in . cannot be used")


@pytest.mark.faults
@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ("", "data.folder: . holds no folder train/; put the images of each class"),
        ("train/", "./train holds the folders of 0 classes (none), and a study needs 2 to 100"),
        ("train/cat/1.png", "./train holds the folders of 1 classes (cat), and a study needs"),
        ("train/cat/1.png train/dog/", "./train/dog holds no image; put some there or remove it."),
        ("train/cat/1.png train/dog/.DS_Store", "./train/dog holds no image; put some"),
        (
            "train/cat/1.png train/dog/1.png test/cow/1.png",
            "./test/cow is of a class that train/ does not have; put images of it into",
        ),
        ("train/cat/1.png train/dog/1.png val/cow/1.png", "./val/cow is of a class that train/"),
        ("train/cat/1.png train/dog/1.png test/", "./test holds no images; put those of each"),
        ("train/cat/1.png train/dog/1.png", "./train/cat holds too few images (1) to set a fifth"),
        ("train/c/ train/d/ val/ validation/", "data.folder: . holds both val/ and validation/"),
        ("train/cat/1.png train/a\nb/1.png", "./train holds a class whose name cannot be shown"),
    ],
)
def test_a_folder_of_another_form_is_refused(tmp_path: Path, made: str, sentence: str) -> None:
    for name in filter(None, made.split(" ")):
        if name.endswith("/"):
            (tmp_path / name).mkdir(parents=True)
        elif name.endswith(".png"):
            save(tmp_path / name, noise(28, 28))
        else:
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).touch()
    assert refusal(tmp_path).startswith(sentence)


@pytest.mark.faults
def test_a_class_of_which_no_file_is_an_image_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("cat", "dog"), 2)
    for path in (tmp_path / "train/cat").iterdir():
        path.write_bytes(b"")
    assert refusal(tmp_path) == "./train/cat holds no image; put some there or remove it."


@pytest.mark.faults
def test_there_are_at_most_a_hundred_classes(tmp_path: Path) -> None:
    for number in range(101):
        (tmp_path / f"train/{number}").mkdir(parents=True)
    assert refusal(tmp_path).startswith(
        "./train holds the folders of 101 classes (0, 1, 2, 3, 4, ...), and a study needs 2 to 100"
    )


@pytest.mark.faults
def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no").startswith("data.folder: . is missing; name the one")
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file").startswith("data.folder: . is no folder; name the one")


@pytest.mark.faults
@pytest.mark.parametrize("link", ["train/cat", "train/dog/more"])
def test_a_link_to_a_folder_is_refused(tmp_path: Path, link: str) -> None:
    """DVC does not look behind it."""
    fill(tmp_path, "train", ("dog",))
    fill(tmp_path, "elsewhere", ("cat",))
    fill(tmp_path, "train", ("bird",))
    (tmp_path / link).symlink_to(tmp_path / "elsewhere/cat")
    assert refusal(tmp_path).startswith(f"./{link} is a link to a folder, behind which DVC")


@pytest.mark.faults
def test_a_packed_folder_that_is_damaged_or_gone_is_named(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("cat", "dog"))
    raw = tmp_path / "raw"
    write_packed(raw, read(tmp_path))
    packed = (raw / PACKED).read_bytes()
    (raw / PACKED).write_bytes(packed[:1000])
    with pytest.raises(UserError, match=r"images\.npz is damaged; delete it and run"):
        load_raw(raw)
    (raw / PACKED).unlink()
    with pytest.raises(UserError, match=r"images\.npz is missing; run: dvc repro fetch-data"):
        load_raw(raw)


def test_what_is_packed_is_read_again(tmp_path: Path) -> None:
    fill(tmp_path, "train", ("cat", "Größe, \u304a"))
    fill(tmp_path, "val", ("cat",), 2)
    dataset = read(tmp_path)
    write_packed(tmp_path / "raw", dataset)
    packed = (tmp_path / "raw" / PACKED).read_bytes()
    again = load_raw(tmp_path / "raw")
    assert (again.title, again.classes, again.notes) == (
        dataset.title,
        dataset.classes,
        dataset.notes,
    )
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(again, part).images, getattr(dataset, part).images)
        assert np.array_equal(getattr(again, part).labels, getattr(dataset, part).labels)
    write_packed(tmp_path / "raw", again)
    assert (tmp_path / "raw" / PACKED).read_bytes() == packed


def split_of(dataset: Dataset) -> Split:
    parts = (dataset.train, dataset.test)
    return split_dataset(dataset.title, dataset.classes, *parts, 0.15, 0, dataset.validation)


@pytest.mark.mnist
def test_mnists_own_images_as_files_give_the_same_split_and_the_same_weights(
    tmp_path: Path, mnist_mirror: Path, recipe: Recipe
) -> None:
    parts = {}
    for part, prefix, count in (("train", "train", 1700), ("test", "t10k", 300)):
        images = read_idx(mnist_mirror / f"{prefix}-images-idx3-ubyte.gz")[:count].copy()
        labels = read_idx(mnist_mirror / f"{prefix}-labels-idx1-ubyte.gz")[:count]
        parts[part] = Labelled(images, labels.astype(np.int64))
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            save(tmp_path / part / str(label) / f"{number:05d}.png", image)
    expected = split_of(Dataset("MNIST", TEN, parts["train"], parts["test"]))
    found = split_of(read(tmp_path))
    assert found.classes == expected.classes
    for part in ("train", "validation", "test"):
        assert np.array_equal(getattr(found, part).images, getattr(expected, part).images)
        assert np.array_equal(getattr(found, part).labels, getattr(expected, part).labels)
    assert np.array_equal(found.train_indices, expected.train_indices)
    trial = Trial("t", recipe.model_copy(update={"epochs": 1}), 1, 1.0, "none", 1, bar=False)
    weights, other = (run_trial(trial, each).network.state_dict() for each in (found, expected))
    for name, value in weights.items():
        assert torch.equal(value, other[name])
