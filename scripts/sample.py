"""Draw new images from a run, finished or still going on.

    python scripts/sample.py runs/gan-digits-001
    python scripts/sample.py runs/gan-digits-001 --seed 7 --count 100

Writes a grid of new samples and a strip of interpolations between samples into the run's `samples/`. The same
seed gives the same latents on either backend.
"""

from pathlib import Path
from typing import Any

import program
import values


def main(args: program.Namespace) -> None:
    import kerasgan as kg

    gan = kg.load_run(args.run_dir, step=args.step)
    samples = Path(args.run_dir) / "samples"
    grid = samples / f"grid-seed-{args.seed}.png"
    kg.callbacks.save_png(grid, picture(gan, args))

    strip = samples / f"interpolation-seed-{args.seed}.png"
    walks = gan.interpolate(rows=args.rows, steps=args.steps, seed=args.seed)
    images = walks.reshape(-1, *walks.shape[2:])  # (rows * steps, height, width, channels)
    kg.callbacks.save_png(strip, kg.callbacks.grid(images, columns=args.steps))
    print(f"{args.count} samples of step {gan.global_step:,}: {grid}")
    print(f"{args.rows} interpolations: {strip}")


def picture(gan: Any, args: program.Namespace) -> Any:
    """Return a grid of samples; of a GAN that knows classes one row a class, or all of one."""
    import kerasgan as kg

    if not isinstance(gan, kg.ConditionalGAN):
        if args.label is not None:
            raise ValueError(f"--label asks for a class, and the GAN of {args.run_dir} knows none; leave it out.")
        return kg.callbacks.grid(gan.generate(args.count, seed=args.seed))
    if args.label is not None:
        return kg.callbacks.grid(gan.generate(args.count, seed=args.seed, labels=args.label))
    columns = max(1, args.count // gan.num_classes)
    images = gan.generate_by_class(columns, seed=args.seed)
    return kg.callbacks.grid(images.reshape(-1, *images.shape[2:]), columns=columns)


if __name__ == "__main__":
    parser = program.Parser(description="Draw new images from a run.")
    parser.add_argument("run_dir", type=values.path, metavar="RUN_DIR", help="the directory of a run of train_gan.py")
    parser.add_argument(
        "--count",
        type=values.at_most(10_000),
        default=64,
        metavar="N",
        help="images in the grid (default: %(default)s)",
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
