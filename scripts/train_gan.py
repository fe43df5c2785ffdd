"""Train a DCGAN on images, into a run directory.

    KERAS_BACKEND=jax python scripts/train_gan.py
    KERAS_BACKEND=tensorflow python scripts/train_gan.py --dataset mnist --data-dir data/mnist --epochs 5

Not yet measured.
"""

from pathlib import Path

import options


def main(args: options.Namespace) -> None:
    import keras

    import kerasgan as kg

    run_dir = args.run_dir or kg.fresh_run_dir("runs", f"gan-{Path(args.dataset).stem}")
    checkpoint = kg.callbacks.Checkpoint(
        every_n_epochs=args.checkpoint_every_epochs, every_n_steps=args.checkpoint_every_steps
    )
    callbacks = [kg.callbacks.ImageGrid(), checkpoint]
    trainer = kg.Trainer(run_dir, callbacks=callbacks, **options.trainer_options(args))

    data = kg.data.load(args.dataset, data_dir=args.data_dir, batch_size=args.batch_size, seed=args.seed)
    gan = kg.GAN.dcgan(data.image_shape, args.latent_dim, dropout=args.dropout, loss=args.loss, seed=args.seed)
    gan.compile(
        optimizer={
            player: keras.optimizers.Adam(args.learning_rate, beta_1=args.beta_1)
            for player in ("generator", "discriminator")
        }
    )
    trainer.fit(gan, data, resume=args.resume)


if __name__ == "__main__":
    parser = options.Parser(description="Train a DCGAN on images, into a run directory.")
    options.add_training_options(parser, epochs=40, batch_size=32)
    parser.add_argument("--latent-dim", type=options.positive, default=100, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--learning-rate", type=options.rate, default=4e-4, metavar="R", help="(default: %(default)s)")
    parser.add_argument("--beta-1", type=options.fraction, default=0.5, metavar="B", help="(default: %(default)s)")
    parser.add_argument("--dropout", type=options.fraction, default=0.0, metavar="P", help="(default: %(default)s)")
    parser.add_argument(
        "--loss",
        default="non_saturating",
        metavar="NAME",
        help="non_saturating, hinge or least_squares (default: %(default)s)",
    )
    options.run(main, parser)
