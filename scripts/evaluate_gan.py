"""Measure how good the samples of a GAN are, with all measures at once.

    python scripts/evaluate_gan.py runs/gan-mnist-001
    python scripts/evaluate_gan.py runs/gan-mnist-001/generator.keras --dataset mnist --trust --samples 5000
    python scripts/evaluate_gan.py runs/gan-stacked_mnist-001 --stacked --json stacked.json

Samples are held against the test images of the data, in the features of a small classifier that comes with kerasgan;
beside each figure stands that of real images against other real images. With --stacked, modes of Stacked MNIST are
counted instead. Not yet measured.
"""

import json
import time
from pathlib import Path
from typing import Any

import options

# By the data, the classifier whose features measure them; and the names that a run may name data by.
FEATURES_OF = {"digits": "mnist", "mnist": "mnist", "fashion_mnist": "fashion_mnist", "stacked_mnist": "mnist"}


def main(args: options.Namespace) -> None:
    import kerasgan as kg

    began = time.perf_counter()
    check(args)
    path = Path(args.source)
    generate, facts = of_file(path, args) if path.suffix and not path.is_dir() else of_run(path, args)
    dataset = args.dataset or facts["dataset"]
    if dataset.replace("-", "_") == "stacked_mnist" and not (args.stacked or args.features):
        options.fail(2, "images of stacked_mnist have three channels, which no network of ours sees; add --stacked.")
    network = measuring_network(dataset, args)
    data = kg.data.load(dataset, data_dir=args.data_dir, drop_remainder=False)
    if data.test is None:
        raise ValueError(f"{data.name} has no test images to hold samples against; name data that have.")
    count = args.samples or (kg.metrics.STACKED_SAMPLES if args.stacked else 10_000)
    images = generate(count)
    if images.shape[1:] != data.image_shape:
        raise ValueError(
            f"{args.source} makes images of {images.shape[1:]}, and those of {data.name} are {data.image_shape}; "
            "name the data it was trained on with --dataset."
        )
    found = stacked(images, data, network) if args.stacked else measured(images, data, network)
    facts = {"source": args.source, **facts, "dataset": data.name, "data_fingerprint": data.fingerprint()}
    facts |= {"seed": args.seed, "seconds": round(time.perf_counter() - began, 1), "version": kg.__version__}
    if args.json:
        with open(args.json, "x", encoding="utf-8") as file:
            json.dump({**facts, **found}, file, indent=1)
            file.write("\n")
        print(f"figures: {args.json}")


def check(args: options.Namespace) -> None:
    """Refuse what can be told to fail before minutes are spent."""
    if args.json and Path(args.json).exists():
        options.fail(2, f"{args.json} is there already, and no file is overwritten; choose another name for --json.")
    if args.json and not Path(args.json).absolute().parent.is_dir():
        options.fail(2, f"{args.json}: its directory is not there; make it, or choose another name for --json.")
    if args.layer is not None and (args.features is None or not args.features.endswith(".keras")):
        options.fail(2, "--layer names a layer of a .keras file; give that with --features, or leave --layer out.")


def of_run(run_dir: Path, args: options.Namespace) -> tuple[Any, dict[str, Any]]:
    """Return what draws samples of a run, and what the run says of itself."""
    import kerasgan as kg

    gan = kg.load_run(run_dir, step=args.step)
    if not isinstance(gan, kg.GAN):
        raise ValueError(f"{run_dir} is the run of a {type(gan).__name__}, not of a GAN; name one of train_gan.py.")
    name = str(json.loads((run_dir / "config.json").read_bytes())["data"].get("name"))
    if args.dataset is None and name not in FEATURES_OF:  # a run of others shall not lead to any place on this machine
        raise ValueError(f"the data of {run_dir} are none of {', '.join(FEATURES_OF)}; say where with --dataset.")
    return (lambda count: gan.generate(count, seed=args.seed)), {"dataset": name, "step": gan.global_step}


def of_file(path: Path, args: options.Namespace) -> tuple[Any, dict[str, Any]]:
    """Return what draws samples with the generator of a file."""
    import numpy as np

    import kerasgan as kg

    if args.dataset is None:
        options.fail(2, f"{path} does not say what data its network was trained on; name them with --dataset.")
    if args.step is not None:
        options.fail(2, f"--step chooses a checkpoint of a run, and {path} is one file; leave it out.")
    generator = kg.load_network(path, trust=args.trust)
    shapes = getattr(generator, "input_shape", None), getattr(generator, "output_shape", None)
    if [type(shape) is tuple and len(shape) for shape in shapes] != [2, 4] or None in (shapes[0][1], *shapes[1][1:]):
        raise ValueError(f"{path} maps {shapes[0]} to {shapes[1]}; name a network from latents to images.")

    def generate(count: int) -> Any:
        latents = np.random.default_rng(args.seed).standard_normal((count, shapes[0][1]))  # as those of GAN.generate
        return np.asarray(generator.predict(latents.astype("float32"), batch_size=256, verbose=0))

    return generate, {}


def measuring_network(dataset: str, args: options.Namespace) -> "Any":
    """Return the network that the figures are taken with."""
    import kerasgan as kg

    named = args.features or FEATURES_OF.get(dataset.replace("-", "_"))
    if named is None:
        names = ", ".join(kg.metrics.FEATURE_NETWORKS)
        options.fail(2, f"no feature network is known for {dataset}; name one with --features: {names}, or FILE.keras.")
    if named.endswith(".keras"):
        return kg.metrics.feature_network(kg.load_network(named, trust=args.trust), args.layer)
    return kg.metrics.feature_network(named)


def measured(images: Any, data: Any, network: Any) -> dict[str, Any]:
    """Print all measures, and return them."""
    import kerasgan as kg

    quality = kg.metrics.evaluate(
        images, data.test.images, network, real_labels=data.test.labels, train=data.train.images
    )
    print(quality.as_table())
    return quality.as_dict()


def stacked(images: Any, data: Any, network: Any) -> dict[str, Any]:
    """Print the modes reached, by samples and by as many real triples, and return both."""
    import kerasgan as kg

    if data.num_classes != kg.metrics.STACKED_MODES:
        raise ValueError(f"--stacked counts the 1,000 modes of stacked_mnist, and {data.name} has {data.num_classes}.")
    found = {"network": network.name, "digest": network.digest}
    for name, some in (("samples", images), ("real", data.test.images[: len(images)])):
        modes = kg.metrics.stacked_modes(some, network)
        coverage = kg.metrics.mode_coverage(modes, data.train.labels)
        print(f"{name}:\n{coverage.as_table()}")
        found[name] = coverage.as_dict()
    print(f"digits read by {network.name}, SHA-256 {network.digest[:12]}; real: triples of the test images")
    return found


if __name__ == "__main__":
    parser = options.Parser(description="Measure how good the samples of a GAN are.")
    add = parser.add_argument
    add("source", metavar="RUN_DIR", help="the directory of a run of train_gan.py, or a .keras file of a generator")
    add("--dataset", metavar="NAME", help="what to hold samples against: digits, mnist, fashion_mnist, stacked_mnist "
        "or a PATH (default: the run's)")  # fmt: skip
    add("--data-dir", metavar="DIR", help="where the files of mnist or fashion_mnist lie (default: KERASGAN_DATA_DIR, "
        "else Keras's download cache)")  # fmt: skip
    add("--samples", type=options.at_most(100_000), metavar="N", help="how many to draw (default: 10,000; 26,000 with "
        "--stacked)")  # fmt: skip
    add("--stacked", action="store_true", help="count the modes of Stacked MNIST that samples reach")
    add("--features", metavar="NAME", help="mnist, fashion_mnist, or a .keras file (default: by the data)")
    add("--layer", metavar="NAME", help="the layer of that file whose outputs are the features (default: its outputs)")
    add("--seed", type=options.seed, default=0, help="chooses the latents (default: %(default)s)")
    add("--step", type=options.natural, metavar="N", help="the checkpoint to use (default: the newest)")
    add("--trust", action="store_true", help="load .keras files from elsewhere, of whose maker you know")
    add("--json", type=options.path, metavar="FILE", help="write all figures there too")
    add("--debug", action="store_true", help="show where an error came from")
    options.run(main, parser)
