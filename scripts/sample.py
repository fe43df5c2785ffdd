"""Draw new images from a run, finished or still going on.

    python scripts/sample.py runs/gan-digits-001
    python scripts/sample.py runs/gan-digits-001 --seed 7 --count 100

Writes a grid of new samples and a strip of interpolations between samples into the run's `samples/`. The same
seed gives the same latents on either backend.
"""

from pathlib import Path
from typing import Any

import program
import run_directory
import values


def main(args: program.Namespace) -> None:
    import kerasgan as kg

    gan = run_directory.load_gan(args.run_dir, args.step)
    chosen = {"step": args.step, "label": args.label, "seed": args.seed}
    name = "-".join(f"{option}-{value}" for option, value in chosen.items() if value is not None)
    grid, strip = (Path(args.run_dir) / "samples" / f"{kind}-{name}.png" for kind in ("grid", "interpolation"))
    images, columns = drawn(gan, args)
    kg.callbacks.save_png(grid, kg.callbacks.grid(images, columns=columns))
    print(f"{len(images):,} samples of step {gan.global_step:,}: {grid}")

    labelled = {} if args.label is None else {"labels": args.label}
    walks = gan.interpolate(rows=args.rows, steps=args.steps, seed=args.seed, **labelled)
    images = walks.reshape(-1, *walks.shape[2:])  # (rows * steps, height, width, channels)
    kg.callbacks.save_png(strip, kg.callbacks.grid(images, columns=args.steps))
    print(f"{args.rows:,} interpolations: {strip}")


def drawn(gan: Any, args: program.Namespace) -> tuple[Any, int | None]:
    """Return samples and the columns of their grid; of a GAN that knows classes a row a class, or all of one."""
    import kerasgan as kg

    if not isinstance(gan, kg.ConditionalGAN):
        if args.label is not None:
            raise ValueError(f"--label asks for a class, and the GAN of {args.run_dir} knows none; leave it out.")
        return gan.generate(args.count, seed=args.seed), None
    if args.label is not None:
        return gan.generate(args.count, seed=args.seed, labels=args.label), None
    columns = max(1, args.count // gan.num_classes)
    images = gan.generate_by_class(columns, seed=args.seed)
    return images.reshape(-1, *images.shape[2:]), columns


if __name__ == "__main__":
    parser = program.Parser(description="Draw new images from a run.")
    parser.add_argument("run_dir", type=values.path, metavar="RUN_DIR", help="the directory of a run of train_gan.py")
    parser.add_argument(
        "--count",
        type=values.at_most(10_000),
        default=64,
        metavar="N",
        help="images in the grid; of all classes as many as fill whole columns, at least one (default: %(default)s)",
    )
    parser.add_argument(
        "--rows",
        type=values.at_most(1_000),
        default=8,
        metavar="N",
        help="number of interpolations (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=values.at_most(1_000),
        default=10,
        metavar="N",
        help="images in each interpolation (default: %(default)s)",
    )
    parser.add_argument(
        "--label", type=values.natural, metavar="N", help="of a conditional GAN, the class to make (default: all)"
    )
    parser.add_argument("--seed", type=values.seed, default=0, help="chooses the latents (default: %(default)s)")
    parser.add_argument("--step", type=values.natural, help="the checkpoint to use (default: the newest)")
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    program.run(main, parser)
