"""Which raw file is which: told by its content, however it is called or packed."""

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.idx import parse_idx, unpack
from mnistpipe.data.split import SIDE
from mnistpipe.files.errors import UserError

# Of the unpacked content of MNIST's files; the MD5s that torchvision pins are of their wrapper.
MNIST_SHA256S = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_IN_WORDS = {
    "train_images": "training images",
    "train_labels": "training labels",
    "test_images": "test images",
    "test_labels": "test labels",
}


class WrongFileError(Exception):
    """A file is not the wanted one: its text says what it is."""


class OtherDatasetError(WrongFileError):
    """The file is known, and another data set's.

    Attributes:
        dataset: the other one's name.

    """

    def __init__(self, text: str, dataset: str) -> None:
        """The text is as for any wrong file."""
        super().__init__(text)
        self.dataset = dataset


@dataclass(frozen=True)
class RawFile:
    """One of a data set's four files.

    Attributes:
        dataset: its name in the catalogue.
        role: `train_images` and so on.

    """

    dataset: str
    role: str

    def __str__(self) -> str:
        """What is in it: `the training images of MNIST`."""
        return f"the {_IN_WORDS[self.role]} of {self.title}"

    @property
    def title(self) -> str:
        """The data set's."""
        return CATALOGUE[self.dataset].title

    @property
    def names(self) -> list[str]:
        """What people call it: as published; unpacked; and either with a dot before `idx`."""
        published = CATALOGUE[self.dataset].files[self.role]
        dotted = published.replace("-idx", ".idx")
        return [name for gz in (published, dotted) for name in (gz, gz.removesuffix(".gz"))]


def raw_files(dataset: str) -> list[RawFile]:
    """The four files of a data set."""
    return [RawFile(dataset, role) for role in CATALOGUE[dataset].files]


def find(folder: Path, wanted: RawFile) -> Path | None:
    """The file in the folder, under any of its names; None if there is none.

    One that is right is taken, whatever stands beside it.

    Raises WrongFileError if there are some but none is right, UserError if one cannot be read.
    """
    errors = []
    for path in (folder / name for name in wanted.names):
        try:
            if path.exists():
                check(path, wanted)
                return path
        except WrongFileError as error:
            errors.append(error)
        except OSError as error:
            raise UserError(
                f"{path} cannot be read ({error.strerror}); mend that and run: dvc repro"
            ) from error
    if errors:
        raise errors[0]
    return None


def check(path: Path, wanted: RawFile) -> None:
    """Raises WrongFileError if the file is not the wanted one.

    Where nobody has published a digest of its content, a whole file of the right form will do,
    unless it is known for another.
    """
    sentence = f"{path.name} should hold {wanted}, but it"
    if path.is_dir():
        raise WrongFileError(f"{sentence} is a folder")
    known = recognise(path)
    if known is not None and known.dataset != wanted.dataset:
        raise OtherDatasetError(f"{sentence} holds {known}", known.dataset)
    if known is not None and known != wanted:
        raise WrongFileError(f"{sentence} holds {known}")
    if known is None:
        try:
            array = parse_idx(unpack(path.read_bytes()))
        except ValueError as error:
            raise WrongFileError(f"{sentence} {error}") from error
        if wanted.dataset == "mnist" or not _could_be(array, wanted):
            raise WrongFileError(f"{sentence} holds other {_describe(array)}")


def recognise(path: Path) -> RawFile | None:
    """Which file this is, if a digest tells."""
    packed = path.read_bytes()
    with contextlib.suppress(ValueError):
        sha256 = hashlib.sha256(unpack(packed)).hexdigest()
        for role, expected in MNIST_SHA256S.items():
            if sha256 == expected:
                return RawFile("mnist", role)
    return published_md5s().get(md5_of(packed))


def _could_be(array: UInt8[ndarray, "..."], wanted: RawFile) -> bool:
    part, kind = wanted.role.split("_")
    counts = CATALOGUE[wanted.dataset].counts
    return array.shape[1:] == ((SIDE, SIDE) if kind == "images" else ()) and (
        counts is None or len(array) == counts[part == "test"]
    )


def _describe(array: UInt8[ndarray, "..."]) -> str:
    if array.ndim == 1:
        return f"labels ({len(array):,})"
    n_images, height, width = array.shape
    return f"images ({n_images:,} of {height} x {width} pixels)"


def md5_of(content: bytes) -> str:
    """For comparison with what is published."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def published_md5s() -> dict[str, RawFile]:
    """The files that torchvision pins, by the MD5 of each as it is published, gzipped."""
    from torchvision import datasets  # noqa: PLC0415 (takes seconds, seldom needed)

    return {
        md5: file
        for dataset, published in (
            ("mnist", datasets.MNIST),
            ("fashion-mnist", datasets.FashionMNIST),
            ("kmnist", datasets.KMNIST),
        )
        for file in raw_files(dataset)
        for name, md5 in published.resources
        if name == file.names[0]
    }
