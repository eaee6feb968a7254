"""The data sets that the study can run on: what they and their files are called."""

from dataclasses import dataclass

_DIGITS = tuple("0123456789")
_CAPITALS = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_AS_MNIST = 60_000, 10_000  # images


@dataclass(frozen=True)
class Entry:
    """One data set.

    Attributes:
        title: as it stands in every product.
        classes: their names, in the order of the labels.
        counts: of its training and its test images, where they are always the same.
        parts: how the names of its training and its test files begin; none: it needs no files.
        first_label: in the files; in the arrays it is 0.
        transposed: whether images lie on their side in the files.

    """

    title: str
    classes: tuple[str, ...]
    counts: tuple[int, int] | None
    parts: tuple[str, ...] = ("train", "t10k")
    first_label: int = 0
    transposed: bool = False

    @property
    def files(self) -> dict[str, str]:
        """The names of its files as published, by what is in them."""
        return {
            f"{role}_{kind}s": f"{part}-{kind}s-idx{dimensions}-ubyte.gz"
            for role, part in zip(("train", "test"), self.parts, strict=False)
            for kind, dimensions in (("image", 3), ("label", 1))
        }


def _emnist(
    part: str, classes: tuple[str, ...], counts: tuple[int, int] | None, first_label: int = 0
) -> Entry:
    files = f"emnist-{part.lower()}"
    parts = f"{files}-train", f"{files}-test"
    return Entry(f"EMNIST {part}", classes, counts, parts, first_label, transposed=True)


CATALOGUE = {
    "mnist": Entry("MNIST", _DIGITS, _AS_MNIST),
    "fashion-mnist": Entry(
        "Fashion-MNIST",
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        _AS_MNIST,
    ),
    "kmnist": Entry(
        "KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"), _AS_MNIST
    ),
    "emnist-digits": _emnist("Digits", _DIGITS, (240_000, 40_000)),
    # Two editions are about: 88,800 and 14,800 images, and 124,800 and 20,800.
    "emnist-letters": _emnist("Letters", _CAPITALS, None, first_label=1),
    # Small letters that look like their capitals are merged with them.
    "emnist-balanced": _emnist(
        "Balanced", (*_DIGITS, *_CAPITALS, *"abdefghnqrt"), (112_800, 18_800)
    ),
    "digits": Entry("scikit-learn digits (not MNIST)", _DIGITS, (1_438, 359), parts=()),
}
# How the title of one's own images ends, by what was done to them. It stands in the split and in
# the networks' cards, so that pictures are drawn as they are, and what a network is shown later is
# prepared like what it was trained on.
TITLE_ENDS = {"mnist": "(own images, made like MNIST's)", "resize": "(own images)"}


def is_ink(title: str) -> bool:
    """Whether a data set's images are light ink on dark; else they are whole pictures."""
    return not title.endswith(TITLE_ENDS["resize"])
