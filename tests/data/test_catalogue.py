import pytest
from torchvision import datasets

from mnistpipe.data.catalogue import CATALOGUE
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
