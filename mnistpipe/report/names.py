"""What the networks are called, wherever a person reads of them."""

from mnistpipe.training.plan import BEST_STAGE, SWEEP

_ON_ALL_DATA = {
    "train-convnet": "ConvNet",
    "train-augmented": "ConvNet + augmentation",
    "train-net": "Net",
    "train-net-augmented": "Net + augmentation",
}
_PARTS = {"half": "1/2", "quarter": "1/4", "eighth": "1/8", "sixteenth": "1/16"}


def network_name(stage: str) -> str:
    """`partial-data@half` trains what is called Net + augmentation, 1/2 of the data.

    Which views augmentation makes is the recipe's; no name says it, and all hold for each recipe.
    """
    if stage in _ON_ALL_DATA:
        return _ON_ALL_DATA[stage]
    sweep, _, part = stage.partition("@")
    name = f"{_ON_ALL_DATA[BEST_STAGE]}, {_PARTS.get(part, part)} of the data"
    return name if sweep == SWEEP else f"{name}, other updates"
