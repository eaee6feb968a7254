"""Show what the best network learned, from one pass over the test set."""

from pathlib import Path

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
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_figure, write_json, write_npz
from mnistpipe.files.sections import read_section
from mnistpipe.networks.model_files import read_model
from mnistpipe.scoring.predictions import write_predictions
from mnistpipe.scoring.scores import predict_arrays
from mnistpipe.training.plan import BEST_STAGE

PLOTS = Path("plots/analyze")


def main() -> None:
    """Everything follows from the logits and features of a single prediction pass."""
    section = read_section("analyze", Analyze)
    split = read_split()
    test = split.test
    network = read_model(Path(f"models/{BEST_STAGE}.safetensors"), "net", split.title)
    logits, features = predict_arrays(network, test.images)
    predicted = logits.argmax(axis=1)
    dataset = split.title

    # Everything is computed before anything is written: a parameter that does not fit the data
    # leaves the old files as they are.
    mistakes = find_mistakes(logits, test.labels)
    kernels = network.conv1.weight.detach().numpy()
    counts = count_confusions(test.labels, predicted)
    neighbours = find_neighbours(features, section.neighbours)
    share = same_class_share(neighbours, test.labels)
    queries = pick_queries(test.labels, section.seed)
    embedded = embed(features, section.perplexity, section.seed)

    write_npz(
        Path("data/test-features.npz"),
        {"logits": logits, "features": features, "labels": test.labels},
    )
    write_predictions(PLOTS / "confusion.csv", test.labels, predicted)
    figures = {
        "mistakes": draw_mistakes(test, mistakes, section.mistakes, dataset),
        "kernels": draw_kernels(kernels, dataset),
        "confusion": draw_confusion(counts, dataset, normalise=False),
        "confusion-normalised": draw_confusion(counts, dataset, normalise=True),
        "t-sne": draw_embedding(embedded, test.labels, dataset),
        "neighbours": draw_neighbours(test, queries, neighbours, dataset, share=share),
    }
    for name, figure in figures.items():
        write_figure(PLOTS / f"{name}.png", figure)

    classes = score_classes(test.labels, predicted)
    write_json(
        Path("metrics/analyze.json"),
        {
            "dataset": dataset,
            "network": BEST_STAGE,
            "mistakes": len(mistakes.indices),
            "confusion_diagonal": int(counts.trace()),
            "neighbours": {"count": section.neighbours, "same_class_share": share},
            "classes": {f"class-{number}": scores for number, scores in enumerate(classes)},
        },
    )
