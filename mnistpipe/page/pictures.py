"""Images of the study as the page shows them: dark ink on paper, or whole pictures."""

import base64
import io
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from PIL import Image

from mnistpipe.analysis.features import Mistakes, Neighbours
from mnistpipe.data.catalogue import is_ink
from mnistpipe.data.split import Split
from mnistpipe.files.figure_style import SIGNED
from mnistpipe.page.widgets import render
from mnistpipe.report.confidence import DisputedImage

_EXAMPLES = 10  # of each class
MOST_CLASSES = 26  # that a list or a table of classes is readable with
_KERNEL_COLUMNS = 8
_DISPUTED = 21  # that are seen at once
MOST_DISPUTED = 96  # with those behind the fold


def show_examples(split: Split) -> str:
    """The first training images of each class, and how many it has."""
    rows = []
    for number, name in enumerate(split.classes[:MOST_CLASSES]):
        of_class = split.train.labels == number
        strip = _strip(split.train.images[of_class][:_EXAMPLES], split.title)
        rows.append({"name": name, "count": int(of_class.sum()), "strip": strip})
    return render("examples.html.j2", rows=rows)


def show_mistakes(split: Split, mistakes: Mistakes, count: int) -> str:
    """The most confident mistakes: each test image with its label and what it was taken for."""
    test, classes = split.test, split.classes
    shown = [
        {
            "number": int(number),
            "label": classes[test.labels[number]],
            "predicted": classes[predicted],
            "confidence": float(confidence),
            "picture": _strip(test.images[number : number + 1], split.title),
        }
        for number, predicted, confidence in zip(
            mistakes.indices[:count], mistakes.predicted, mistakes.confidence, strict=False
        )
    ]
    return render("mistakes.html.j2", shown=shown)


def show_disputed(split: Split, disputed: Sequence[DisputedImage]) -> str:
    """Images with their labels, and what the networks say; the first ones, and more behind a fold.

    Args:
        split: the images.
        disputed: some of them; of more than `MOST_DISPUTED`, the first.

    """
    images = {
        "test": dict(enumerate(split.test.images)),
        "validation": dict(zip(split.validation_indices, split.validation.images, strict=True)),
        "train": dict(zip(split.train_indices, split.train.images, strict=True)),
    }
    shown = [
        (each, _strip(images[each.part][each.image][np.newaxis], split.title))
        for each in disputed[:MOST_DISPUTED]
    ]
    return render("disputed.html.j2", first=shown[:_DISPUTED], rest=shown[_DISPUTED:])


def show_neighbours(split: Split, queries: Int64[ndarray, " q"], neighbours: Neighbours) -> str:
    """A row for each query: the test image, its nearest others, and how many share its label."""
    test, rows = split.test, []
    for query in queries:
        found = neighbours.indices[query]
        same = int((test.labels[found] == test.labels[query]).sum())
        rows.append(
            {
                "name": split.classes[test.labels[query]],
                "number": int(query),
                "query": _strip(test.images[query : query + 1], split.title),
                "found": _strip(test.images[found], split.title),
                "same": same,
                "count": len(found),
            }
        )
    return render("neighbours.html.j2", rows=rows)


def show_kernels(kernels: Float[ndarray, "k 1 h w"]) -> str:
    """The first layer's kernels on one scale that is symmetric about zero."""
    limit = float(np.abs(kernels).max())
    k, _, h, w = kernels.shape
    rows = -(-k // _KERNEL_COLUMNS)
    sheet = np.zeros((rows * (h + 1) - 1, _KERNEL_COLUMNS * (w + 1) - 1, 4), dtype=np.uint8)
    colours = mpl.colormaps[SIGNED]((kernels[:, 0] / limit + 1) / 2, bytes=True)
    for number, colour in enumerate(colours):
        row, column = divmod(number, _KERNEL_COLUMNS)
        top, left = row * (h + 1), column * (w + 1)
        sheet[top : top + h, left : left + w] = colour
    return render("kernels.html.j2", sheet=_data_uri(sheet), count=k, limit=limit, side=w)


def count_edges(kernels: Float[ndarray, "k 1 h w"]) -> int:
    """How many are more an edge than a line or a spot.

    A kernel is the sum of one that half a turn leaves as it is and one that it turns into its
    negative; which of the two has the larger sum of squares says what the kernel answers to.
    """
    turned = kernels[..., ::-1, ::-1]
    odd, even = ((kernels + sign * turned) ** 2 for sign in (-1, 1))
    return int((odd.sum(axis=(1, 2, 3)) > even.sum(axis=(1, 2, 3))).sum())


def _strip(images: UInt8[ndarray, "n 28 28"], title: str) -> str:
    """Images of the data set of that title side by side, as a data URI; ink is dark on light."""
    row = np.concatenate([*images], axis=1) if len(images) else np.zeros((28, 1), dtype=np.uint8)
    return _data_uri(255 - row if is_ink(title) else row)


def _data_uri(pixels: UInt8[ndarray, "..."]) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
