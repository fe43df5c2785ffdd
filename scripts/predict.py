"""Tell which class a picture belongs to, with a classifier of a run or of a .keras file.

    python scripts/predict.py runs/cnn-mnist-001 seven.png
    python scripts/predict.py runs/cnn-mnist-001 --index 786
    python scripts/predict.py runs/cnn-mnist-001 --index 786 --saved-as keras
    python scripts/predict.py downloads/model.keras seven.png --trust --class-names zero,one,two,three

A picture may have any size, and be grey or coloured. What it shows should fill most of it; if it is dark on light where
the run's images are light on dark, or the other way round, it is inverted. Of one picture every class's probability is
shown, of several a line each.

A run, or a file, that others made may hold nothing but stock layers and classes of kerasgan, and no code of it is run.
A file needs `--trust` besides: nobody can check what its network has learned, nor what time it takes. Its network
gets images in [-1, 1]; where it ends in no softmax or sigmoid, its outputs are taken for logits.

The first takes 6 s on 2 cores of an AMD EPYC, nearly all of it Keras's start. A CNN after one epoch of MNIST (0.978 on
its test set) takes a 7 drawn in black on white, 200x300 pixels, for a 7 with 0.983; on grey paper with 0.948.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import program
import values

if TYPE_CHECKING:
    import kerasgan as kg

ROWS = 20  # Of a thousand classes nobody reads more in a terminal.
BAR_WIDTH = 40


class Picture(NamedTuple):
    """A picture to predict: what to call it, `(height, width, channels)` in [-1, 1], and its true class if known."""

    name: str
    image: Any
    truth: str | None = None


def main(args: program.Namespace) -> None:
    import numpy as np

    import kerasgan as kg

    if not args.files and not args.index:
        program.fail(2, "there is nothing to predict; name picture files, or --index N of the test set.")
    if args.step is not None and args.saved_as != "checkpoint":
        program.fail(2, f"--step names a checkpoint, and --saved-as {args.saved_as} reads none; leave one out.")
    path = Path(args.run_dir)
    classifier, data = from_file(path, args) if path.suffix and not path.is_dir() else from_run(path, args)
    image_shape = tuple(data.get("image_shape") or classifier.image_shape)
    check_image_shape(image_shape, classifier.image_shape)

    invert = {"auto": None, "yes": True, "no": False}[args.invert]
    pictures = [
        Picture(file, kg.data.read_picture(file, image_shape, background=data.get("background"), invert=invert))
        for file in args.files
    ]
    if args.index:
        pictures += pictures_of_test_set(args.index, load_data(args, data), image_shape)
    predictions = classifier.classify(np.stack([picture.image for picture in pictures]))
    if len(pictures) == 1:
        show_one(pictures[0], predictions[0])
    else:
        show_several(pictures, predictions)


def from_run(run_dir: Path, args: program.Namespace) -> "tuple[kg.Classifier, dict[str, Any]]":
    """Load the classifier of a run, and what the run says of its data."""
    import kerasgan as kg

    if args.class_names is not None:
        program.fail(2, "--class-names is for .keras files; a run knows the names of its classes; leave it out.")
    classifier = kg.load_run(run_dir, step=args.step)
    if not isinstance(classifier, kg.Classifier):
        kind = type(classifier).__name__
        raise ValueError(f"{run_dir} is the run of a {kind}, not of a classifier; name one of train_classifier.py.")
    if args.saved_as != "checkpoint":
        network = exported_network(run_dir, args.saved_as)
        classifier = kg.Classifier(network, classifier.class_names, from_logits=classifier.from_logits)
    return classifier, json.loads((run_dir / "config.json").read_bytes())["data"]


def from_file(path: Path, args: program.Namespace) -> "tuple[kg.Classifier, dict[str, Any]]":
    """Load the network of a file from elsewhere, which says nothing of its data."""
    import kerasgan as kg

    if args.step is not None or args.saved_as != "checkpoint":
        program.fail(
            2, f"--step and --saved-as choose among the files of a run, and {path} is one file; leave them out."
        )
    if args.index and args.dataset is None:
        program.fail(2, f"--index needs --dataset: {path} does not say what data its network was trained on.")
    network = kg.load_network(path, trust=args.trust)
    names = args.class_names
    if isinstance(network, kg.Classifier):
        network, names = network.network, names or network.class_names
    shapes = getattr(network, "input_shape", None), getattr(network, "output_shape", None)
    if [type(shape) is tuple and len(shape) for shape in shapes] != [4, 2] or None in shapes[0][1:]:
        raise ValueError(f"{path} maps {shapes[0]} to {shapes[1]}; name a network from images of one size to classes.")
    return kg.Classifier(network, names, from_logits=ends_in_logits(network)), {}


def ends_in_logits(network: Any) -> bool:
    """Return whether the last layer turns its outputs into no probabilities."""
    import keras

    last = network.layers[-1]
    if isinstance(last, keras.Model):
        return ends_in_logits(last)
    probabilities = (keras.activations.softmax, keras.activations.sigmoid)
    return not isinstance(last, keras.layers.Softmax) and getattr(last, "activation", None) not in probabilities


def check_image_shape(image_shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> None:
    """Make sure that the images a run says it was trained on are those that its network takes."""
    if len(image_shape) != len(wanted) or any(
        side not in (None, given) for side, given in zip(wanted, image_shape, strict=True)
    ):
        raise ValueError(f"The run's config.json says its images are {image_shape}, and its network takes {wanted}.")


def exported_network(run_dir: Path, saved_as: str) -> Any:
    """Load what a finished run leaves for other projects."""
    import kerasgan as kg

    needed = ["model.keras"] if saved_as == "keras" else ["model.json", "model.weights.h5"]
    for name in needed:
        if not (run_dir / name).is_file():
            raise ValueError(f"{run_dir / name} is not there, for it is written when a run ends; leave out --saved-as.")
    # Whoever names a run trusts it as far as it can be trusted: the same checks hold for its files as for all others.
    return kg.load_network(run_dir / needed[0], trust=True)


def load_data(args: program.Namespace, data: dict[str, Any]) -> "kg.data.DataModule":
    """Load the data that `--dataset` names, or else those of the run, split as they were."""
    import kerasgan as kg

    common = {"data_dir": args.data_dir, "drop_remainder": False}
    if args.dataset is not None:
        return kg.data.load(args.dataset, **common)
    name, examples, seed = data.get("name"), data.get("examples", {}), data.get("seed", 0)
    remedy = f"The run's data are called {name}; say where they lie with --dataset."
    val_size = examples.get("validation", 0) if isinstance(examples, dict) else None
    # A run of others shall not lead to any place on this machine.
    if not isinstance(name, str) or Path(name).name != name or type(val_size) is not int or type(seed) is not int:
        raise ValueError(f"The run's config.json does not say what its data were. {remedy}")
    try:
        loaded = kg.data.load(name, val_size=val_size, seed=seed, **common)
    except kg.data.DataError as error:
        raise ValueError(f"{error} {remedy}") from error
    if loaded.fingerprint() != data.get("fingerprint"):
        # A path goes into config.json by its last part, which may be the name of something else too.
        raise ValueError(f"The data found as {name} are not those of the run. {remedy}")
    return loaded


def pictures_of_test_set(
    indices: list[int], data: "kg.data.DataModule", image_shape: tuple[int, ...]
) -> Iterator[Picture]:
    """Yield images of the test split."""
    if data.test is None:
        raise ValueError(f"{data.name} has no test split to take --index from; name picture files, or --dataset.")
    if data.image_shape != image_shape:
        raise ValueError(f"The images of {data.name} are {data.image_shape}, those of the run {image_shape}.")
    for index in indices:
        if index >= data.test.num_examples:
            last = data.test.num_examples - 1
            raise ValueError(f"--index {index} is out of range; the test set of {data.name} has images 0 to {last:,}.")
        batch, place = divmod(index, data.test.batch_size)
        truth = None if data.class_names is None else data.class_names[data.test.labels[index]]
        yield Picture(f"test image {index} of {data.name}", data.test[batch][0][place], truth)


def show_one(picture: Picture, prediction: "kg.Prediction") -> None:
    """Print the class, and a table of the probabilities of all classes."""
    from rich.console import Console
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    said = f"{printable(prediction.name)}, {prediction.probability:.2%}{verdict(picture, prediction)}"
    print(f"{printable(picture.name)}: {said}")
    rows = list(prediction.probabilities.items())
    if len(rows) > ROWS:
        rows = sorted(rows, key=lambda row: -row[1])[:ROWS]
    table = Table(box=None)
    table.add_column("class", max_width=24, no_wrap=True, overflow="ellipsis")
    table.add_column("probability", justify="right")
    table.add_column()
    for name, probability in rows:
        bar = ProgressBar(
            total=1.0, completed=probability, width=BAR_WIDTH, complete_style="cyan", finished_style="cyan"
        )
        style = "bold" if name == prediction.name else None
        table.add_row(Text(printable(name)), f"{probability:.6f}", bar, style=style)
    Console(highlight=False).print(table)
    if len(prediction.probabilities) > ROWS:
        print(f"and {len(prediction.probabilities) - ROWS} classes that are less probable")


def show_several(pictures: list[Picture], predictions: "list[kg.Prediction]") -> None:
    """Print a line each: picture, class, probability."""
    names = [printable(picture.name) for picture in pictures]
    classes = [printable(prediction.name) for prediction in predictions]
    for picture, prediction, name, chosen in zip(pictures, predictions, names, classes, strict=True):
        columns = f"{name:<{max(map(len, names))}}  {chosen:<{max(map(len, classes))}}"
        print(f"{columns}  {prediction.probability:.6f}{verdict(picture, prediction)}")


def verdict(picture: Picture, prediction: "kg.Prediction") -> str:
    """Return whether the prediction is right, where that is known."""
    if picture.truth is None:
        return ""
    return (
        f" ({'right' if picture.truth == prediction.name else 'wrong'}: the true class is {printable(picture.truth)})"
    )


def printable(text: str) -> str:
    """Return the text, or its escaped form if it would break a line or steer the terminal."""
    return text if text.isprintable() else ascii(text)


def checkpoint(text: str) -> int | str:
    """Read the step of a checkpoint, or which one."""
    if text != "best" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no checkpoint; give a step such as 2110, or best")
    return text if text == "best" else int(text)


class Parser(program.Parser):
    """A parser that finds file names before, between and after the options."""

    def parse_args(self, *args: Any) -> program.Namespace:
        """Parse; argparse by itself wants all files in one place, right behind the run directory."""
        return self.parse_intermixed_args(*args)


if __name__ == "__main__":
    parser = Parser(
        description="Tell which class a picture belongs to, with a classifier of a run or of a .keras file."
    )
    add = parser.add_argument
    add("run_dir", metavar="RUN_DIR", help="the directory of a run of train_classifier.py, or a .keras file")
    add("files", nargs="*", default=[], metavar="FILE", help="PNG, JPEG, BMP or WebP pictures of any size")
    add("--index", type=values.natural, nargs="+", action="extend", metavar="N", help="images of the test set, from 0")
    add("--dataset", metavar="NAME", help="whose test set: digits, mnist, fashion_mnist or a PATH (default: the run's)")
    add("--data-dir", metavar="DIR", help="where the files of mnist or fashion_mnist lie (default: KERASGAN_DATA_DIR, "
        "else Keras's download cache)")  # fmt: skip
    add("--saved-as", choices=["checkpoint", "keras", "json"], default="checkpoint", help="read a checkpoint, "
        "model.keras, or model.json and model.weights.h5 (default: %(default)s)")  # fmt: skip
    add("--trust", action="store_true", help="load a .keras file from elsewhere, of whose maker you know")
    add("--class-names", type=lambda text: text.split(","), metavar="A,B,...", help="what the classes of a .keras file "
        "are called (default: their numbers)")  # fmt: skip
    add("--step", type=checkpoint, metavar="N", help="the step of the checkpoint, or best (default: the newest)")
    add("--invert", choices=["auto", "yes", "no"], default="auto", help="turn dark into light in picture files "
        "(default: where they lie on the other ground than the run's images)")  # fmt: skip
    add("--debug", action="store_true", help="show where an error came from")
    program.run(main, parser)
