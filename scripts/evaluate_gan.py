"""Measure how good the samples of a GAN are, with all measures at once.

    python scripts/evaluate_gan.py runs/gan-mnist-001
    python scripts/evaluate_gan.py runs/gan-mnist-001 --curves
    python scripts/evaluate_gan.py runs/gan-mnist-001/generator.keras --dataset mnist --trust --samples 5000
    python scripts/evaluate_gan.py runs/photos --dataset photos/ --features mine.keras --trust --against train
    python scripts/evaluate_gan.py runs/gan-stacked_mnist-001 --stacked --json stacked.json

Samples are held against the test images of the data, in the features of a small classifier that comes with kerasgan;
beside each figure stands that of real images against other real images. With --stacked, modes of Stacked MNIST are
counted instead. Into the directory of a run go quality.json and quality.png, a contact sheet; with --curves also
quality_curves.png. Six MNIST runs, 10,000 samples each, took 46 to 82 s on 2 shared cores of an AMD EPYC.
"""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import program
import run_directory
import values

MOST_TRAINED = 10_000  # Training images that samples are held against, where there are no test images.
SHOWN, SHOWN_CLASSES, STEPS = 64, 20, 17  # On the contact sheet, which takes as many as it has room for.


def main(args: program.Namespace) -> None:
    import kerasgan as kg

    began = time.perf_counter()
    check(args)
    path = Path(args.source)
    gan, facts = of_file(path, args) if is_file(path) else of_run(path, args)
    dataset = args.dataset or facts["dataset"]
    if dataset.replace("-", "_") == "stacked_mnist" and not (args.stacked or args.features):
        program.fail(2, "images of stacked_mnist have three channels, which no network of ours sees; add --stacked.")
    network = measuring_network(dataset, args)
    data = kg.data.load(dataset, data_dir=args.data_dir, drop_remainder=False)
    if args.stacked and data.num_classes != kg.metrics.STACKED_MODES:
        raise ValueError(f"--stacked counts the 1,000 modes of stacked_mnist, and {data.name} has {data.num_classes}.")
    count = args.samples or (kg.metrics.STACKED_SAMPLES if args.stacked else 10_000)
    reals = real_images(data, count if args.stacked else MOST_TRAINED, args)
    labels = labels_of(gan, count, data, args.seed)
    of_step = f", step {facts['step']:,}" if "step" in facts else ""
    print(f"measuring {count:,} samples of {path.name[:40]}{of_step}", flush=True)
    images = drawn(gan, labels, count, args.seed)
    if images.shape[1:] != data.image_shape:
        raise ValueError(
            f"{args.source} makes images of {images.shape[1:]}, and those of {data.name} are {data.image_shape}; "
            "name the data it was trained on with --dataset."
        )
    nearest = None
    if args.stacked:
        found = stacked(images, reals, data, network, args)
    else:
        quality = measured(images, reals, network, labels)
        found = quality.as_dict()
        nearest = quality.nearest and reals.train[quality.nearest.positions[:SHOWN]]
    facts = {"source": args.source, **facts, "dataset": data.name, "data_fingerprint": data.fingerprint()}
    facts["against"] = args.against
    facts |= {"seed": args.seed, "version": kg.__version__}

    def as_json() -> str:
        return json.dumps({**facts, "seconds": round(time.perf_counter() - began, 1), **found}, indent=1) + "\n"

    text = as_json()
    if not is_file(path):
        kg.checkpoints.write_atomically(path / "quality.json", text.encode())
        print(f"figures: {path / 'quality.json'}")
        sheet = contact_sheet(gan, images[:SHOWN], nearest, data, args)
        kg.callbacks.save_png(path / "quality.png", sheet)
        print(f"pictures: {path / 'quality.png'}")
    if args.curves:  # last, for it takes long, and the GAN takes on the weights of one checkpoint after another
        found["curves"] = curves(path, gan, data, reals, network, quality.real, args)
        text = as_json()
        kg.checkpoints.write_atomically(path / "quality.json", text.encode())
    if args.json:
        with open(args.json, "x", encoding="utf-8") as file:
            file.write(text)
        print(f"figures: {args.json}")


def check(args: program.Namespace) -> None:
    """Reject invalid options before any expensive work."""
    import kerasgan as kg

    if args.json and Path(args.json).exists():
        program.fail(2, f"{args.json} is there already, and no file is overwritten; choose another name for --json.")
    if args.json and not Path(args.json).absolute().parent.is_dir():
        program.fail(2, f"{args.json}: its directory is not there; make it, or choose another name for --json.")
    if args.layer is not None and (args.features is None or not args.features.endswith(".keras")):
        program.fail(2, "--layer names a layer of a .keras file; give that with --features, or leave --layer out.")
    if args.samples and args.samples < kg.metrics.LEAST_IMAGES and not args.stacked:
        program.fail(
            2, f"--samples {args.samples} are too few; draw at least {kg.metrics.LEAST_IMAGES}, better 10,000."
        )
    if args.curves and (args.stacked or is_file(Path(args.source))):
        program.fail(2, "--curves goes over the checkpoints of a run, and not with --stacked; leave it out.")


def is_file(path: Path) -> bool:
    """Tell a .keras file from a run directory by its name, whether it is there or not."""
    return bool(path.suffix) and not path.is_dir()


def of_run(run_dir: Path, args: program.Namespace) -> tuple[Any, dict[str, Any]]:
    """Return the GAN of a run, and what the run says of itself."""
    import kerasgan as kg

    gan = run_directory.load_gan(run_dir, args.step)
    name = str(json.loads((run_dir / "config.json").read_bytes())["data"].get("name"))
    # A run of others shall not lead to any place on this machine.
    if args.dataset is None and name not in kg.metrics.FEATURES_OF:
        raise ValueError(
            f"the data of {run_dir} are none of {', '.join(kg.metrics.FEATURES_OF)}; name the data with --dataset."
        )
    return gan, {"dataset": name, "step": gan.global_step}


def of_file(path: Path, args: program.Namespace) -> tuple[Any, dict[str, Any]]:
    """Return the generator of a file, which says nothing of itself."""
    import kerasgan as kg

    if args.dataset is None:
        program.fail(2, f"{path} does not say what data its network was trained on; name them with --dataset.")
    if args.step is not None:
        program.fail(2, f"--step chooses a checkpoint of a run, and {path} is one file; leave it out.")
    return kg.load_generator(path, trust=args.trust), {}


class Reals(NamedTuple):
    """What samples are held against: images and their labels, and the training images to look for copies among."""

    images: Any
    labels: Any
    train: Any


def real_images(data: Any, most: int, args: program.Namespace) -> Reals:
    """Return the test images; or if asked for, `most` of those trained on, among which copies are no finding."""
    import numpy as np

    if args.against == "test":
        if data.test is None:
            raise ValueError(
                f"{data.name} has no test images to hold samples against; --against train takes those it was trained "
                "on, and cannot tell copies from new images."
            )
        return Reals(data.test.images, data.test.labels, data.train.images)
    some = np.random.default_rng(args.seed).permutation(len(data.train.images))[:most]
    return Reals(data.train.images[some], None if data.train.labels is None else data.train.labels[some], None)


def labels_of(gan: Any, count: int, data: Any, seed: int) -> Any:
    """Draw the labels of samples from those of the training images; None where a GAN knows of none.

    All classes equally often would be another distribution than that of the images they are held against; and more even
    than any independent draws, which the floor of --stacked is about.
    """
    import numpy as np

    if not getattr(gan, "takes_labels", False) and getattr(gan, "num_classes", None) is None:
        return None
    if data.train.labels is None:
        raise ValueError(f"{data.name} has no labels to ask a conditional GAN for; name data that have.")
    return np.random.default_rng(seed).choice(data.train.labels, count)


def drawn(gan: Any, labels: Any, count: int, seed: int) -> Any:
    """Draw samples, of the classes `labels` if there are any."""
    return gan.generate(count, seed=seed, **({} if labels is None else {"labels": labels}))


def measuring_network(dataset: str, args: program.Namespace) -> "Any":
    """Return the network that the figures are taken with."""
    import kerasgan as kg

    named = args.features or kg.metrics.FEATURES_OF.get(dataset.replace("-", "_"))
    if named is None:
        names = ", ".join(kg.metrics.FEATURE_NETWORKS)
        program.fail(2, f"no feature network is known for {dataset}; name one with --features: {names}, or FILE.keras.")
    if named.endswith(".keras"):
        return kg.metrics.feature_network(kg.load_network(named, trust=args.trust), args.layer)
    return kg.metrics.feature_network(named)


def measured(images: Any, reals: Reals, network: Any, labels: Any) -> Any:
    """Print all measures, and return them."""
    import kerasgan as kg

    quality = kg.metrics.evaluate(
        images, reals.images, network, labels=labels, real_labels=reals.labels, train=reals.train
    )
    print(quality.as_table())
    return quality


def contact_sheet(gan: Any, images: Any, nearest: Any, data: Any, args: program.Namespace) -> Any:
    """Draw samples beside their nearest training images, ways between samples, and every class if the GAN has any."""
    import numpy as np

    import kerasgan as kg

    classes, by_class = min(getattr(gan, "num_classes", None) or 0, SHOWN_CLASSES), None
    if classes:
        labels = np.repeat(np.arange(classes), STEPS)
        by_class = gan.generate(len(labels), seed=args.seed, labels=labels)
        by_class = by_class.reshape(classes, STEPS, *by_class.shape[1:])
    return kg.metrics.draw_contact_sheet(
        images,
        nearest,
        gan.interpolate(rows=4, steps=STEPS, seed=args.seed),
        by_class,
        class_names=data.class_names,
        facts=f"{Path(args.source).name}, step {gan.global_step:,}, {data.name}, seed {args.seed}",
    )


def curves(
    run_dir: Path, gan: Any, data: Any, reals: Reals, network: Any, real: Any, args: program.Namespace
) -> list[dict[str, float]]:
    """Measure every checkpoint that was kept, draw that, and return the figures; a damaged one is left out."""
    import kerasgan as kg

    stick, count = kg.metrics.yardstick(reals.images, network), args.samples or 10_000
    elsewhere = json.loads((run_dir / "config.json").read_bytes()).get("checkpoints")
    steps = kg.checkpoints.CheckpointStore(run_dir / "checkpoints").steps()
    rows = []
    for step in steps or kg.checkpoints.CheckpointStore(elsewhere or run_dir / "checkpoints").steps():
        try:
            gan = kg.load_run(run_dir, step=step, module=gan)
            images = drawn(gan, labels_of(gan, count, data, args.seed), count, args.seed)
            rows.append({"step": step, **stick.measure(images)})
        except (kg.checkpoints.CheckpointError, ValueError) as error:  # damaged, or the generator had diverged
            print(f"step {step:,} is left out: {error}")
            continue
        print(f"step {step:,}: " + ", ".join(f"{name} {value:.4g}" for name, value in list(rows[-1].items())[1:]))
    level = {name: getattr(real, name) for name in kg.metrics.QUICK_MEASURES}
    level["kernel_distance"] = real.kernel_distance.mean
    half = len(reals.images) // 2
    facts = f"{run_dir.name}, {count:,} samples each, dashed: {half:,} real against {half:,}, {network.name} features"
    kg.callbacks.save_png(run_dir / "quality_curves.png", kg.metrics.draw_quality_curves(rows, level, facts=facts))
    print(f"curves: {run_dir / 'quality_curves.png'}")
    return rows


def stacked(images: Any, reals: Reals, data: Any, network: Any, args: program.Namespace) -> dict[str, Any]:
    """Print the modes reached, by samples and by as many real triples as there are at most, and return both."""
    import kerasgan as kg

    found = {"network": network.name, "digest": network.digest}
    for name, some in (("samples", images), ("real", reals.images[: len(images)])):
        modes = kg.metrics.stacked_modes(some, network)
        coverage = kg.metrics.mode_coverage(modes, data.train.labels)
        print(f"{name}:\n{coverage.as_table()}")
        found[name] = coverage.as_dict()
    print(f"digits read by {network.name}, SHA-256 {network.digest[:12]}; real: {args.against} images")
    return found


if __name__ == "__main__":
    parser = program.Parser(description="Measure how good the samples of a GAN are.")
    add = parser.add_argument
    add("source", metavar="RUN_DIR", help="the directory of a run of train_gan.py, or a .keras file of a generator")
    add("--dataset", metavar="NAME", help="what to hold samples against: digits, mnist, fashion_mnist, stacked_mnist "
        "or a PATH (default: the run's)")  # fmt: skip
    add("--data-dir", metavar="DIR", help="where the files of mnist or fashion_mnist lie (default: KERASGAN_DATA_DIR, "
        "else Keras's download cache)")  # fmt: skip
    add("--against", choices=["test", "train"], default="test", help="hold samples against the test images, or where "
        "there are none against those that were trained on (default: %(default)s)")  # fmt: skip
    add("--samples", type=values.at_most(100_000), metavar="N", help="how many to draw (default: 10,000; 26,000 with "
        "--stacked)")  # fmt: skip
    add("--stacked", action="store_true", help="count the modes of Stacked MNIST that samples reach")
    add("--features", metavar="NAME", help="mnist, fashion_mnist, or a .keras file (default: by the data)")
    add("--layer", metavar="NAME", help="the layer of that file whose outputs are the features (default: its outputs)")
    add("--seed", type=values.seed, default=0, help="chooses the latents (default: %(default)s)")
    add("--step", type=values.natural, metavar="N", help="the checkpoint to use (default: the newest)")
    add("--trust", action="store_true", help="load .keras files from elsewhere, of whose maker you know")
    add("--json", type=values.path, metavar="FILE", help="write all figures there too")
    add("--curves", action="store_true", help="measure every checkpoint that was kept, and draw how it went; minutes")
    add("--debug", action="store_true", help="show where an error came from")
    program.run(main, parser)
