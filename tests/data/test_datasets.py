import json
from pathlib import Path

import numpy as np
import pytest
from numpy import ndarray

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.datasets import Dataset, load_digits, load_raw, read_source, write_source
from mnistpipe.files.errors import UserError
from tests.data.idx_files import idx, some_images, write_gz

FILES = CATALOGUE["mnist"].files


def write_mnist(folder: Path, **arrays: ndarray) -> None:
    """The four files and the source, with 20 and 10 images where nothing else is given."""
    whole = {
        "train_images": some_images(20),
        "train_labels": np.arange(20) % 10,
        "test_images": some_images(10),
        "test_labels": np.arange(10),
    }
    for key, array in (whole | arrays).items():
        write_gz(folder / FILES[key], idx(array))
    (folder / "source.json").write_text('{"dataset": "mnist"}')


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits()


def test_a_folder_of_whole_files_is_mnist(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    dataset = load_raw(tmp_path)
    assert dataset.title == "MNIST"
    assert np.array_equal(dataset.train.images, some_images(20))
    assert dataset.train.labels.dtype == np.int64
    assert dataset.train.labels.tolist() == [*range(10), *range(10)]
    assert (len(dataset.train), len(dataset.test)) == (20, 10)


@pytest.mark.faults
def test_a_folder_without_a_source_holds_no_data_set(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / "source.json").unlink()
    assert read_source(tmp_path) is None
    with pytest.raises(UserError, match=r"holds no data set; run: dvc repro fetch-data$"):
        load_raw(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize(
    "content",
    ['{"dataset": "cifar"}', '{"dataset": null}', '{"dataset": 1}', "{}", "[]", '"mnist"', "", "{"],
)
def test_a_source_that_names_no_known_data_set_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "source.json").write_text(content)
    with pytest.raises(UserError, match=r"source\.json does not name a data set; delete it"):
        load_raw(tmp_path)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"train_images": some_images(19)}, "19 images but 20 labels"),
        ({"test_labels": np.arange(9)}, "10 images but 9 labels"),
        ({"train_labels": np.arange(20) % 11}, "labels should be 0 to 9"),
        ({"test_images": some_images(10, side=32)}, "images should be n x 28 x 28"),
        ({"train_images": np.arange(20)}, "images should be n x 28 x 28 and labels n"),
        ({"train_labels": some_images(20)}, "images should be n x 28 x 28 and labels n"),
    ],
)
def test_files_that_do_not_fit_each_other_are_refused(
    tmp_path: Path, arrays: dict[str, ndarray], sentence: str
) -> None:
    write_mnist(tmp_path, **arrays)
    with pytest.raises(UserError) as caught:
        load_raw(tmp_path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/t")


@pytest.mark.faults
def test_a_missing_file_of_the_four_is_named(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    (tmp_path / FILES["test_labels"]).unlink()
    with pytest.raises(UserError, match=r"t10k-labels-idx1-ubyte\.gz is missing"):
        load_raw(tmp_path)


def test_digits_are_1797_images_of_mnists_size(digits: Dataset) -> None:
    assert digits.title == "scikit-learn digits (not MNIST)"
    assert (len(digits.train), len(digits.test)) == CATALOGUE["digits"].counts == (1438, 359)
    for part in (digits.train, digits.test):
        assert part.images.shape == (len(part), 28, 28)
        assert part.images.dtype == np.uint8
        assert part.labels.dtype == np.int64


def test_digits_lie_within_an_empty_margin_and_use_all_grey_levels(digits: Dataset) -> None:
    images = digits.train.images.copy()
    assert (images.min(), images.max()) == (0, 255)
    images[:, 4:24, 4:24] = 0
    assert images.max() == 0


def test_digits_have_a_stratified_test_set(digits: Dataset) -> None:
    trained = np.bincount(digits.train.labels, minlength=10)
    tested = np.bincount(digits.test.labels, minlength=10)
    # The class sizes that scikit-learn documents.
    assert (trained + tested).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert tested.tolist() == [36, 36, 35, 37, 36, 36, 36, 36, 35, 36]


def test_digits_are_the_same_each_time_and_need_no_files(tmp_path: Path, digits: Dataset) -> None:
    (tmp_path / "source.json").write_text(json.dumps({"dataset": "digits"}))
    again = load_raw(tmp_path)
    assert again.title == digits.title
    assert np.array_equal(again.train.images, digits.train.images)
    assert np.array_equal(again.train.labels, digits.train.labels)
    assert np.array_equal(again.test.images, digits.test.images)
    assert np.array_equal(again.test.labels, digits.test.labels)


def write_letters(folder: Path, labels: ndarray) -> ndarray:
    """EMNIST's letters in its form, in a folder of their own; returns the images as they lie."""
    images = some_images(len(labels))
    files = CATALOGUE["emnist-letters"].files
    for role, file in files.items():
        write_gz(folder / file, idx(images if role.endswith("images") else labels))
    source = {"dataset": "emnist-letters", "files": files}
    (folder / "source.json").write_text(json.dumps(source))
    return images


def test_emnists_letters_are_turned_upright_and_counted_from_0(tmp_path: Path) -> None:
    images = write_letters(tmp_path, np.array([1, 26, 2]))
    dataset = load_raw(tmp_path)
    assert dataset.title == "EMNIST Letters"
    assert [dataset.classes[label] for label in dataset.train.labels] == ["A", "Z", "B"]
    assert np.array_equal(dataset.train.images[0], images[0].T)
    assert dataset.train.images.flags.c_contiguous


@pytest.mark.faults
@pytest.mark.parametrize("labels", [[0, 1], [1, 27]])
def test_a_label_that_is_no_letter_is_refused(tmp_path: Path, labels: list[int]) -> None:
    write_letters(tmp_path, np.array(labels))
    with pytest.raises(UserError, match="labels should be 1 to 26, and at least one"):
        load_raw(tmp_path)


def test_the_files_that_fetch_data_chose_are_read(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    other = {role: f"other/{file.removesuffix('.gz')}" for role, file in FILES.items()}
    (tmp_path / "other").mkdir()
    for role, file in other.items():
        array = some_images(3) if role.endswith("images") else np.arange(3)
        (tmp_path / file).write_bytes(idx(array))
    write_source(tmp_path, "mnist", other)
    assert len(load_raw(tmp_path).train) == 3


@pytest.mark.mnist
def test_the_real_files_are_read(tmp_path: Path, mnist_mirror: Path) -> None:
    for file in FILES.values():
        (tmp_path / file).symlink_to(mnist_mirror / file)
    (tmp_path / "source.json").write_text('{"dataset": "mnist"}')
    dataset = load_raw(tmp_path)
    assert dataset.train.images.shape == (60_000, 28, 28)
    assert dataset.test.images.shape == (10_000, 28, 28)
    assert dataset.train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert dataset.test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert dataset.train.images.mean() == pytest.approx(33.3184, abs=0.0001)
