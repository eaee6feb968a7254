"""What human reviewers said of labels of MNIST's test set, as an outside check.

Confident learning had flagged 100 test images, and five reviewers saw each of them:
mturk/mnist_mturk.json of github.com/cleanlab/label-errors (Apache-2.0), from Northcutt, Athalye and
Mueller, Pervasive Label Errors in Test Sets, NeurIPS 2021.
"""

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray

from mnistpipe.confidence.labels import Disputed

# Images whose labels less than three of the five kept, and the class that three or more of them
# gave instead, if they did.
REJECTED = {
    947: 9,
    1621: 6,
    1901: 4,
    2130: None,
    2462: 0,
    2597: 3,
    2654: None,
    3520: None,
    3558: 0,
    5937: 3,
    6651: 6,
    6783: 6,
    8527: None,
    9679: None,
    9729: 6,
}
# fmt: off
KEPT = (  # the others
    247, 259, 321, 340, 445, 449, 582, 619, 717, 720, 726, 740, 810, 938, 1014, 1033, 1039,
    1112, 1119, 1226, 1232, 1299, 1364, 1393, 1530, 1681, 1709, 2035, 2043, 2109, 2135, 2182,
    2293, 2380, 2406, 2447, 2454, 2836, 2896, 2921, 2927, 2939, 3060, 3073, 3206, 3422, 3503,
    3597, 3767, 3778, 3850, 3869, 3906, 4007, 4176, 4201, 4207, 4224, 4497, 4639, 4783, 4823,
    4860, 4874, 4876, 4880, 4956, 4978, 5887, 5955, 6505, 6572, 6576, 6597, 6625, 7434, 7842,
    8094, 8408, 9009, 9634, 9642, 9664, 9755, 9888,
)
# fmt: on


def compare_with_reviewers(disputed: Disputed, right: Bool[ndarray, " n"]) -> dict[str, int]:
    """How far networks and reviewers doubt the same labels of MNIST's test set.

    Args:
        disputed: its images that the networks dispute.
        right: the answers of one network that are right.

    """
    says = dict(zip(disputed.indices.tolist(), disputed.says.tolist(), strict=True))
    instead = {image: label for image, label in REJECTED.items() if label is not None}
    rejected: Int64[ndarray, " r"] = np.array([*REJECTED])
    return {
        "reviewed": len(REJECTED) + len(KEPT),
        "rejected": len(REJECTED),
        "relabelled": len(instead),
        "disputed_and_rejected": len(says.keys() & REJECTED.keys()),
        "disputed_and_kept": len(says.keys() & {*KEPT}),
        "disputed_and_relabelled_alike": sum(
            says.get(image) == label for image, label in instead.items()
        ),
        "mistakes_and_rejected": int((~right[rejected]).sum()),
    }
