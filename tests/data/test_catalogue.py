from typing import get_args

import pytest
from torchvision import datasets

from mnistpipe.data.catalogue import CATALOGUE, TITLE_ENDS, is_ink
from mnistpipe.data.params import Data
from mnistpipe.data.raw_files import RawFile, published_md5s


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("mnist", datasets.MNIST),
        ("fashion-mnist", datasets.FashionMNIST),
        ("kmnist", datasets.KMNIST),
    ],
)
def test_files_are_called_as_torchvision_calls_them(
    name: str, published: type[datasets.MNIST]
) -> None:
    assert sorted(CATALOGUE[name].files.values()) == sorted(file for file, _ in published.resources)
    assert {md5 for _, md5 in published.resources} == {
        md5 for md5, file in published_md5s().items() if file.dataset == name
    }
    if name != "mnist":  # whose classes are "0 - zero" there
        assert CATALOGUE[name].classes == tuple(published.classes)


def test_a_files_md5_tells_which_it_is() -> None:
    assert published_md5s()["f68b3c2dcbeaaa9fbdd348bbdeb94873"] == RawFile("mnist", "train_images")
    assert len(published_md5s()) == 12


def test_each_data_set_can_be_chosen() -> None:
    assert [*CATALOGUE, "folder"] == list(get_args(Data.model_fields["dataset"].annotation))
    assert {name: len(entry.classes) for name, entry in CATALOGUE.items()} == {
        "mnist": 10,
        "fashion-mnist": 10,
        "kmnist": 10,
        "emnist-digits": 10,
        "emnist-letters": 26,
        "emnist-balanced": 47,
        "digits": 10,
    }


def test_only_pictures_that_were_resized_are_no_ink() -> None:
    assert all(is_ink(entry.title) for entry in CATALOGUE.values())
    own = {preparation: is_ink(f"pets {end}") for preparation, end in TITLE_ENDS.items()}
    assert own == {"mnist": True, "resize": False}


@pytest.mark.parametrize("part", ["digits", "letters", "balanced"])
def test_emnists_classes_are_torchvisions(part: str) -> None:
    entry = CATALOGUE[f"emnist-{part}"]
    published = [name for name in datasets.EMNIST.classes_split_dict[part] if name != "N/A"]
    expected = [name.upper() for name in published] if part == "letters" else published
    assert list(entry.classes) == expected
    assert entry.files["test_labels"] == f"emnist-{part}-test-labels-idx1-ubyte.gz"
