"""Show how far a training run is: a bar on a terminal, plain lines elsewhere."""

import sys
import time

from tqdm import tqdm

from mnistpipe.training.loop import Epoch


class Progress:
    """Counts images and epochs; speed and time left come from this run's own pace."""

    def __init__(
        self, label: str, n_epochs: int, images_per_epoch: int, *, n_done: int = 0, bar: bool = True
    ) -> None:
        """`n_done` epochs are finished already; `bar` allows a bar where there is a terminal."""
        self._label = label
        self._n_epochs = n_epochs
        self._n_images = (n_epochs - n_done) * images_per_epoch
        self._seen = 0
        self._start_s = time.monotonic()
        self._bar = tqdm(
            total=n_epochs * images_per_epoch,
            initial=n_done * images_per_epoch,
            unit=" images",
            unit_scale=True,
            desc=f"{label} epoch {min(n_done + 1, n_epochs)}/{n_epochs}",
            dynamic_ncols=True,
            disable=not (bar and sys.stderr.isatty()),
        )
        if n_done > 0:
            print(f"{label}: going on after epoch {n_done} of {n_epochs}", flush=True)

    def batch(self, n_images: int) -> None:
        """Another batch is done."""
        self._seen += n_images
        self._bar.update(n_images)

    def epoch(self, epoch: Epoch) -> None:
        """Another epoch is done and scored."""
        if not self._bar.disable:
            running = min(epoch.epoch + 1, self._n_epochs)
            self._bar.set_description(f"{self._label} epoch {running}/{self._n_epochs}")
            self._bar.set_postfix(validation=f"{epoch.validation_accuracy:.2%}")
            return
        elapsed_s = time.monotonic() - self._start_s
        left_s = elapsed_s / self._seen * (self._n_images - self._seen)
        print(
            f"{self._label}: epoch {epoch.epoch}/{self._n_epochs}, "
            f"training loss {epoch.training_loss:.4f}, "
            f"validation loss {epoch.validation_loss:.4f}, "
            f"validation accuracy {epoch.validation_accuracy:.2%}, "
            f"{self._seen / elapsed_s:,.0f} images/s, {left_s:.0f} s left",
            flush=True,
        )

    def close(self) -> None:
        """Leave the terminal tidy."""
        self._bar.close()
