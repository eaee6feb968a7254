"""What the networks are called, wherever a person reads of them."""

from mnistpipe.training.plan import SWEEP

_ON_ALL_DATA = {
    "train-convnet": "ConvNet",
    "train-augmented": "ConvNet + augmentation",
    "train-net": "Net",
    "train-net-augmented": "Net + augmentation",
}
_PARTS = {"half": "1/2", "quarter": "1/4", "eighth": "1/8", "sixteenth": "1/16"}


def network_name(stage: str) -> str:
    """Of the network that a stage trains: `partial-data@half` is Net on 1/2 of the data.

    Which views augmentation makes is the recipe's; no name says it, and all hold for each recipe.
    """
    if stage in _ON_ALL_DATA:
        return _ON_ALL_DATA[stage]
    sweep, _, part = stage.partition("@")
    name = f"Net on {_PARTS.get(part, part)} of the data"
    return name if sweep == SWEEP else f"{name}, other updates"
