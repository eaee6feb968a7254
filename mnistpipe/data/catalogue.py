"""The data sets that the study can run on: what they and their files are called."""

from dataclasses import dataclass

_DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Entry:
    """One data set.

    Attributes:
        title: as it stands in every product.
        classes: their names, in the order of the labels.
        parts: how the names of its training and its test files begin; none: it needs no files.

    """

    title: str
    classes: tuple[str, ...]
    parts: tuple[str, ...] = ("train", "t10k")

    @property
    def files(self) -> dict[str, str]:
        """The names of its files as published, by what is in them."""
        return {
            f"{role}_{kind}s": f"{part}-{kind}s-idx{dimensions}-ubyte.gz"
            for role, part in zip(("train", "test"), self.parts, strict=False)
            for kind, dimensions in (("image", 3), ("label", 1))
        }


CATALOGUE = {
    "mnist": Entry("MNIST", _DIGITS),
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
    ),
    "kmnist": Entry("KMNIST", ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")),
    "digits": Entry("scikit-learn digits (not MNIST)", _DIGITS, parts=()),
}
