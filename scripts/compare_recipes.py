"""Train every recipe on as many images, and measure what each has learned.

    KERAS_BACKEND=jax python scripts/compare_recipes.py --dataset mnist
    KERAS_BACKEND=jax python scripts/compare_recipes.py --dataset mnist --recipes dcgan,r3gan --seeds 0,1,2

Each run is one of train_gan.py, in a directory of its own, and is measured by evaluate_gan.py. Prints a table in
Markdown, a row a recipe, with means over the seeds. What is there already is not done again, and what was stopped goes
on. docs/quality.md has what was found.
"""

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import options
import program
import values

SCRIPTS = Path(__file__).parent
COLUMNS = {
    "frechet_distance": "Fréchet",
    "kernel_distance": "kernel x 1000",
    "precision": "precision",
    "recall": "recall",
    "classifier_score": "score",
    "conditional_accuracy": "label shown",
}


def main(args: program.Namespace) -> None:
    import kerasgan as kg

    names = args.recipes.split(",") if args.recipes else list(kg.recipes.RECIPES)
    recipes = [kg.recipes.find(name.strip()) for name in names]
    for recipe in recipes:
        if args.images < recipe.batch_size:
            program.fail(2, f"--images {args.images} is less than one batch of {recipe.name}, {recipe.batch_size}.")
    data = kg.data.load(args.dataset, data_dir=args.data_dir, drop_remainder=False)
    if not kg.metrics.has_feature_network(data.name, data.image_shape):
        raise ValueError(
            f"no feature network is known for images of {data.image_shape} called {data.name}; train with "
            "train_gan.py, and measure with evaluate_gan.py --features FILE.keras, or --stacked for stacked_mnist."
        )
    network = kg.metrics.feature_network_of(data.name, data.image_shape)
    wanted = {"data_fingerprint": data.fingerprint(), "digest": network.digest, "fakes": args.samples, "seed": 0}
    wanted["against"] = "test"
    if not args.recipes and data.num_classes is None:
        recipes = [recipe for recipe in recipes if not recipe.conditional]
    folder = Path(args.run_dir or f"runs/compare-{Path(args.dataset).stem}-{kg.backends.name}")
    rows = []
    for recipe in recipes:
        found = [run(recipe, folder / f"{recipe.name}-{seed}", seed, wanted, args) for seed in args.seeds]
        rows.append(row(recipe.name, found, args.images // recipe.batch_size))
    print(f"\n{args.images:,} images each, seeds {', '.join(map(str, args.seeds))}, {kg.backends.engine_version()}")
    print(f"{args.samples:,} samples each, features of {network.name}, SHA-256 {network.digest[:12]}\n")
    print(kg.metrics.tables.table(["recipe", "steps", "minutes", *COLUMNS.values()], rows))


def run(recipe: Any, run_dir: Path, seed: int, wanted: dict[str, Any], args: program.Namespace) -> dict[str, Any]:
    """Train and measure, as far as that is not done as `wanted`; return the figures."""
    results, quality = run_dir / "results.json", run_dir / "quality.json"
    steps = args.images // recipe.batch_size
    common = ["--dataset", args.dataset, *(["--data-dir", args.data_dir] if args.data_dir else [])]
    done = json.loads(results.read_bytes())["steps"] if results.exists() else 0
    if done > steps:
        program.fail(2, f"{run_dir} has {done:,} steps, more than the {steps:,} of --images; choose another --run-dir.")
    if done < steps:
        resume = ["--resume"] if (run_dir / "config.json").exists() else []
        train = ["--recipe", recipe.name, "--max-steps", str(steps), "--seed", str(seed), "--run-dir", str(run_dir)]
        call("train_gan.py", *common, *train, *resume)
    wanted = {"step": steps, **wanted}
    found = json.loads(quality.read_bytes()) if quality.exists() else {}
    if {name: found.get(name) for name in wanted} != wanted:
        call("evaluate_gan.py", str(run_dir), *common, "--samples", str(args.samples))
    return {**json.loads(quality.read_bytes()), "minutes": json.loads(results.read_bytes())["wall_seconds"] / 60}


def call(script: str, *arguments: str) -> None:
    """Run another script on the same backend, and end as it does if it fails."""
    done = subprocess.run([sys.executable, str(SCRIPTS / script), *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def row(name: str, found: list[dict[str, Any]], steps: int) -> list[str]:
    """Return the cells of a recipe: means over its runs, and how far they scatter."""
    cells = [written([one["samples"][column] for one in found], column) for column in COLUMNS]
    return [name, f"{steps:,}", f"{statistics.mean(one['minutes'] for one in found):.0f}", *cells]


def written(values: list[Any], column: str) -> str:
    """Return a mean, with the standard deviation between seeds where there are several."""
    if None in values:
        return "-"
    if column == "kernel_distance":
        values = [1000 * value["mean"] for value in values]
    digits = 2 if column in ("frechet_distance", "kernel_distance", "classifier_score") else 3
    scatter = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{scatter}"


def seeds(text: str) -> list[int]:
    """Read seeds with commas between them."""
    return [values.seed(part) for part in text.split(",")]


if __name__ == "__main__":
    parser = program.Parser(description="Train every recipe on as many images, and measure what each has learned.")
    options.add_data_options(parser)
    add = parser.add_argument
    add("--recipes", metavar="NAMES", help="with commas between them (default: all that can learn the data)")
    add("--images", type=values.positive, default=300_000, metavar="N", help="to train on, the same number for all "
        "(default: %(default)s)")  # fmt: skip
    add(
        "--samples",
        type=values.at_most(100_000),
        default=10_000,
        metavar="N",
        help="to measure (default: %(default)s)",
    )
    add("--seeds", type=seeds, default=[0], metavar="LIST", help="one run each, with commas between (default: 0)")
    add("--run-dir", type=values.path, metavar="DIR", help="where the runs go (default: runs/compare-DATASET-BACKEND)")
    add("--debug", action="store_true", help="show where an error came from")
    program.run(main, parser)
