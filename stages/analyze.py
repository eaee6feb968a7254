"""Show what the best network learned, from one pass over the test set."""

from pathlib import Path

from mnistpipe.analysis.examined import EXAMINED_FILE, Examined, write_examined
from mnistpipe.analysis.features import (
    count_confusions,
    embed,
    find_mistakes,
    find_neighbours,
    pick_queries,
    same_class_share,
    score_classes,
)
from mnistpipe.analysis.figures import (
    draw_confusion,
    draw_embedding,
    draw_kernels,
    draw_mistakes,
    draw_neighbours,
)
from mnistpipe.analysis.params import Analyze
from mnistpipe.data.split import Split
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.networks.model_files import read_model
from mnistpipe.networks.models import Classifier
from mnistpipe.scoring.predictions import write_predictions
from mnistpipe.scoring.probabilities import NEVER, softmax, sure_from
from mnistpipe.scoring.scores import predict_arrays
from mnistpipe.training.plan import BEST_STAGE, read_training_run
from mnistpipe.training.recipe import Recipe

MOST_QUERIES = 10  # which a page holds


def main() -> None:
    """Everything follows from the logits and features of a single prediction pass."""
    section = read_section("analyze", Analyze)
    recipe = read_training_run(BEST_STAGE).recipe
    split = read_split()
    test = split.test
    network = read_model(
        Path(f"models/{BEST_STAGE}.safetensors"), "net", split.title, split.classes
    )
    logits, features = predict_arrays(network, test.images)
    predicted = logits.argmax(axis=1)
    dataset, names = split.title, split.classes

    # Everything is computed before anything is written: a parameter that does not fit the data
    # leaves the old files as they are.
    mistakes = find_mistakes(logits, test.labels)
    kernels = network.conv1.weight.detach().numpy()
    counts = count_confusions(test.labels, predicted, len(names))
    neighbours = find_neighbours(features, section.neighbours)
    share = same_class_share(neighbours, test.labels)
    queries = pick_queries(test.labels, MOST_QUERIES, section.seed)
    embedded = embed(features, section.perplexity, section.seed)
    sure = fix_threshold(network, split, recipe)

    write_examined(EXAMINED_FILE, Examined(test.labels, logits, features, embedded))
    write_predictions(
        Path("plots/analyze/confusion.csv"), test.labels, {"predicted": predicted}, names
    )
    figures = {
        "mistakes": draw_mistakes(test, mistakes, section.mistakes, names, dataset),
        "kernels": draw_kernels(kernels, dataset),
        "confusion": draw_confusion(counts, names, dataset, normalise=False),
        "confusion-normalised": draw_confusion(counts, names, dataset, normalise=True),
        "t-sne": draw_embedding(embedded, test.labels, names, dataset),
        "neighbours": draw_neighbours(test, queries, neighbours, names, dataset, share=share),
    }
    for name, figure in figures.items():
        write_figure(f"analyze/{name}", figure)

    scores = score_classes(test.labels, predicted, len(names))
    write_json(
        Path("metrics/analyze.json"),
        {
            "dataset": dataset,
            "network": BEST_STAGE,
            "mistakes": len(mistakes.indices),
            "sure_from": sure,
            "confusion_diagonal": int(counts.trace()),
            "neighbours": {"count": neighbours.indices.shape[1], "same_class_share": share},
            "classes": {f"class-{name}": score for name, score in zip(names, scores, strict=True)},
        },
    )


def fix_threshold(network: Classifier, split: Split, recipe: Recipe) -> float:
    """From which probability on an answer is called sure.

    Never, if the validation images were trained on: of those it is surer than of others.
    """
    if recipe.validation_too:
        return NEVER
    logits, _ = predict_arrays(network, split.validation.images)
    return sure_from(softmax(logits), split.validation.labels)
