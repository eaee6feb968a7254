"""What the 2020 write-up reports, to stand beside our numbers."""

from dataclasses import dataclass

TEST_IMAGES = 10_000
TRAINING_IMAGES = 51_000


@dataclass(frozen=True)
class Reported:
    """One row of the write-up's results.

    Attributes:
        correct: of its 10,000 test images.
        loss: mean test loss per image.
        train_correct: of its 51,000 training images, though it divides by 60,000.
        train_loss: mean training loss per image.

    """

    correct: int
    loss: float
    train_correct: int
    train_loss: float

    @property
    def accuracy(self) -> float:
        """Share of the test images."""
        return self.correct / TEST_IMAGES

    @property
    def errors(self) -> int:
        """How many of the test images it classifies wrongly."""
        return TEST_IMAGES - self.correct

    @property
    def train_count(self) -> int:
        """How many images it trains on."""
        return TRAINING_IMAGES

    @property
    def train_accuracy(self) -> float:
        """Share of the training images, rightly divided."""
        return self.train_correct / TRAINING_IMAGES


# By the name of our stage. The rows stand in the order of the write-up's sections 5 to 7.
REPORTED = {
    "train-convnet": Reported(9766, 0.0793, 49970, 0.0607),
    "train-augmented": Reported(9770, 0.0804, 49930, 0.0608),
    "train-net": Reported(9826, 0.0570, 50180, 0.0454),
    "train-net-augmented": Reported(9893, 0.0340, 50410, 0.0322),
    "partial-data@half": Reported(9674, 0.1050, 49148, 0.1006),
    "partial-data@quarter": Reported(9560, 0.1426, 48610, 0.1351),
    "partial-data@eighth": Reported(8902, 0.4559, 45020, 0.4020),
    "partial-data@sixteenth": Reported(6586, 1.1196, 33276, 0.9592),
}
# Where it saw the curves of section 5 flatten (ConvNet's at 10; a page on, both at 12), and an
# upward spike in the one with blur.
REPORTED_CONVERGENCE = {"train-convnet": 10, "train-augmented": 12}
REPORTED_SPIKE_EPOCH = 3
