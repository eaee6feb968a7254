"""The whole of params.yaml, put together from the sections that stand beside the code.

For whoever looks at the study as a whole: the tools and the tests. A stage reads its own section by
its own model, so that a new section for one stage is no change for the others. A model that stands
in the stage's script is not even named here.
"""

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from mnistpipe.analysis.params import Analyze
from mnistpipe.confidence.params import Confidence
from mnistpipe.data.params import Data, PrepareSplit
from mnistpipe.files.environment import ROOT
from mnistpipe.files.sections import PARAMS_FILE, Section, read_sections
from mnistpipe.learning_curve.params import DenseCurve, LearningCurve
from mnistpipe.robustness.params import Robustness
from mnistpipe.training.plan import (
    OWN,
    TRAIN_STAGES,
    Own,
    PartialData,
    TrainingRun,
    train_stages,
    whole_data_run,
)
from mnistpipe.training.recipe import TrainSection


class Params(Section):
    """All sections; the fields' aliases are their names in the file."""

    data: Data
    prepare_split: PrepareSplit = Field(alias="prepare-split")
    train_convnet: TrainSection = Field(alias="train-convnet")
    train_augmented: TrainSection = Field(alias="train-augmented")
    train_net: TrainSection = Field(alias="train-net")
    train_net_augmented: TrainSection = Field(alias="train-net-augmented")
    partial_data: PartialData = Field(alias="partial-data")
    own: Own
    dense_curve: DenseCurve = Field(alias="dense-curve")
    learning_curve: LearningCurve = Field(alias="learning-curve")
    analyze: Analyze
    robustness: Robustness
    confidence: Confidence

    @model_validator(mode="before")
    @classmethod
    def _leave_the_scripts_sections_to_them(cls, content: dict[Any, Any]) -> dict[Any, Any]:
        theirs = scripts_with_sections()
        return {key: section for key, section in content.items() if key not in theirs}

    @model_validator(mode="after")
    def _networks_fit_the_stages_names(self) -> "Params":
        for stage in TRAIN_STAGES:
            self.training_run(stage)
        return self

    @property
    def train_stages(self) -> list[str]:
        """The names of all stages that train."""
        return [*train_stages(self.partial_data), *self.own.stages.values()]

    def training_run(self, stage: str) -> TrainingRun:
        """What the train stage of this name in dvc.yaml is about.

        Raises UserError if there is no such stage.
        """
        if stage in TRAIN_STAGES:
            return whole_data_run(stage, getattr(self, stage.replace("-", "_")))
        if stage.startswith(f"{OWN}@"):
            return self.own.training_run(stage)
        return self.partial_data.training_run(stage)


def scripts_with_sections() -> list[str]:
    """The scripts of `stages` that hold their section's model, as params.yaml names them."""
    return [
        path.stem.replace("_", "-")
        for path in sorted((ROOT / "stages").glob("*.py"))
        if "(Section):" in path.read_text(encoding="utf-8")
    ]


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the whole file, but for the sections whose models stand in scripts.

    Raises UserError with a sentence for each thing that is wrong, naming the key.
    """
    return read_sections(Params, path)
