"""The probabilities of the classes, and from which one on an answer is called sure."""

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray
from scipy import special

SURE = 0.998  # share of the sure answers that should be right
NEVER = 1.0  # the threshold where no answer is called sure


def softmax(logits: Float[ndarray, "n c"]) -> Float[ndarray, "n c"]:
    """Probabilities of the classes, in double precision."""
    probabilities: Float[ndarray, "n c"] = special.softmax(logits.astype(np.float64), axis=1)
    return probabilities


def sure_from(
    probabilities: Float[ndarray, "n c"], labels: Int64[ndarray, " n"], share: float = SURE
) -> float:
    """The least probability, in hundredths, from which on this share of the answers is right.

    It is fixed on the validation set, and `NEVER` if no answers there are so good.
    """
    highest, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    for hundredths in range(100):
        chosen = right[highest >= hundredths / 100]
        if chosen.size > 0 and chosen.mean() >= share:
            return hundredths / 100
    return NEVER
