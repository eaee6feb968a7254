"""A study of small convolutional networks on MNIST, and its trained networks for use.

The public names are those of `mnistpipe.classifier`, which is imported when one is first used, as
PyTorch comes with it. Every stage imports this module: an edit of it trains all networks again.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:  # noqa: ANN401 (what `__init__.pyi` says)
    if not name.startswith("_"):
        public = import_module("mnistpipe.classifier")
        if name in public.__all__:
            return getattr(public, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
