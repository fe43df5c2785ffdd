"""Train a DCGAN on images, into a run directory.

    KERAS_BACKEND=jax python scripts/train_gan.py
    KERAS_BACKEND=tensorflow python scripts/train_gan.py --dataset mnist --data-dir data/mnist --epochs 5

The first takes 3 min 15 s on 2 cores of an AMD EPYC and ends with readable digits; the README has the figures.
"""

from pathlib import Path

import options


def main(args: options.Namespace) -> None:
    import keras

    import kerasgan as kg

    recipe = kg.dcgan_recipe(args.recipe)
    for name in ("learning_rate", "beta_1", "dropout", "batch_size"):
        if getattr(args, name) is None:
            setattr(args, name, getattr(recipe, name))
    if args.epochs is None and args.max_steps is None:
        args.epochs = recipe.epochs

    run_dir = args.run_dir or kg.fresh_run_dir("runs", f"gan-{Path(args.dataset).stem}")
    checkpoint = kg.callbacks.Checkpoint(
        every_n_epochs=args.checkpoint_every_epochs, every_n_steps=args.checkpoint_every_steps
    )
    callbacks = [kg.callbacks.ImageGrid(), checkpoint]
    trainer = kg.Trainer(run_dir, callbacks=callbacks, **options.trainer_options(args))

    data = kg.data.load(
        args.dataset, data_dir=args.data_dir, batch_size=args.batch_size, seed=args.seed, stream=args.stream
    )
    gan = kg.GAN.dcgan(data.image_shape, args.latent_dim, dropout=args.dropout, loss=args.loss, seed=args.seed)
    gan.compile(
        optimizer={
            player: keras.optimizers.Adam(args.learning_rate, beta_1=args.beta_1)
            for player in ("generator", "discriminator")
        }
    )
    trainer.fit(gan, data, resume=args.resume, allow_changes=args.allow_changes)


if __name__ == "__main__":
    parser = options.Parser(description="Train a DCGAN on images, into a run directory.")
    options.add_training_options(parser)
    add = parser.add_argument
    add("--recipe", default="small_steps", metavar="NAME", help="small_steps or workshop: what the options below, "
        "--batch-size and --epochs default to (default: %(default)s)")  # fmt: skip
    add("--learning-rate", type=options.rate, metavar="R", help="of Adam, for both players")
    add("--beta-1", type=options.fraction, metavar="B", help="of Adam, for both players")
    add("--dropout", type=options.fraction, metavar="P", help="share dropped in the discriminator")
    add("--latent-dim", type=options.at_most(65536), default=100, metavar="N", help="(default: %(default)s)")
    add("--loss", default="non_saturating", metavar="NAME", help="non_saturating, minimax, least_squares, hinge, "
        "wasserstein or relativistic (default: %(default)s)")  # fmt: skip
    options.run(main, parser)
