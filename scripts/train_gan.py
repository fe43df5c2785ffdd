"""Train a GAN on images, into a run directory.

    KERAS_BACKEND=jax python scripts/train_gan.py
    KERAS_BACKEND=tensorflow python scripts/train_gan.py --dataset mnist --data-dir data/mnist --recipe r3gan

The first takes 3 min 15 s on 2 cores of an AMD EPYC and ends with readable digits; the README has the figures, and
docs/quality.md those of all recipes.
"""

from pathlib import Path
from typing import Any

import options
import program
import values

# Options of this script that are hyperparameters of some recipes, or options of every GAN.
OF_RECIPES = ("learning_rate", "generator_rate", "discriminator_rate", "beta_1", "dropout")
OF_ALL = ("loss", "critic_steps", "penalty_every", "ema", "augment")


def main(args: program.Namespace) -> None:
    import kerasgan as kg

    recipe = kg.recipes.find(args.recipe)
    # Refused before networks are built, which takes seconds.
    if args.loss is not None:
        kg.losses.adversarial_loss(args.loss)
    if args.augment is not None:
        kg.layers.DiffAugment(args.augment)
    if args.epochs is None and args.max_steps is None:
        args.epochs = recipe.epochs
    settings = settings_of(recipe, args)

    run_dir = args.run_dir or kg.fresh_run_dir("runs", f"gan-{Path(args.dataset).stem}")
    checkpoint = kg.callbacks.Checkpoint(
        every_n_epochs=args.checkpoint_every_epochs, every_n_steps=args.checkpoint_every_steps
    )
    callbacks = [kg.callbacks.ImageGrid(), checkpoint]
    if args.quality_every_epochs:
        callbacks.append(kg.callbacks.SampleQuality(every_n_epochs=args.quality_every_epochs))
    trainer = kg.Trainer(run_dir, callbacks=callbacks, **options.trainer_options(args))

    batch_size = args.batch_size or recipe.batch_size
    data = kg.data.load(args.dataset, data_dir=args.data_dir, batch_size=batch_size, seed=args.seed, stream=args.stream)
    if args.quality_every_epochs and not kg.metrics.has_feature_network(data.name, data.image_shape):
        raise ValueError(
            f"no feature network is known for images of {data.image_shape} called {data.name}; leave "
            "--quality-every-epochs out."
        )
    if recipe.conditional:
        if data.num_classes is None:
            raise ValueError(
                f"{data.name} has no labels, and {recipe.name} makes images by class; choose another recipe."
            )
        settings["num_classes"] = data.num_classes
    gan = recipe.build(data.image_shape, **settings)
    trainer.fit(gan, data, resume=args.resume, allow_changes=args.allow_changes)


def settings_of(recipe: Any, args: program.Namespace) -> dict[str, Any]:
    """Return what was given of the recipe's hyperparameters, and of the options of every GAN."""
    given = {name: getattr(args, name) for name in (*OF_RECIPES, *OF_ALL) if getattr(args, name) is not None}
    known = ", ".join(recipe.hyperparameters)
    for name in OF_RECIPES:
        if name in given and name not in recipe.hyperparameters:
            program.fail(2, f"--{name.replace('_', '-')} is no hyperparameter of {recipe.name}, which has {known}.")
    for name, value in args.set:
        expected = recipe.hyperparameters.get(name)
        if expected is None:
            option = f"; give --{name.replace('_', '-')}" if name in OF_ALL else ""
            program.fail(2, f"--set {name} is no hyperparameter of {recipe.name}, which has {known}{option}.")
        if isinstance(expected, int) and not isinstance(value, int):
            program.fail(2, f"--set {name}={value} is no whole number; {recipe.name} has {expected}.")
    latents = {} if args.latent_dim is None else {"latent_dim": args.latent_dim}
    return {"seed": args.seed, **latents, **given, **dict(args.set)}


if __name__ == "__main__":
    parser = program.Parser(description="Train a GAN on images, into a run directory.")
    options.add_training_options(parser)
    add = parser.add_argument
    add("--recipe", default="small_steps", metavar="NAME", help="small_steps, dcgan, lsgan, hinge_sngan, wgan_gp, "
        "r3gan, cgan, acgan or projection: the networks, and what loss, --batch-size, --epochs and the options below "
        "default to (default: %(default)s)")  # fmt: skip
    add("--learning-rate", type=values.rate, metavar="R", help="of Adam, for both players")
    add("--generator-rate", type=values.rate, metavar="R", help="of Adam, where the recipe has two")
    add("--discriminator-rate", type=values.rate, metavar="R", help="of Adam, where the recipe has two")
    add("--beta-1", type=values.fraction, metavar="B", help="of Adam, for both players")
    add("--dropout", type=values.fraction, metavar="P", help="share dropped in the discriminator")
    add("--set", type=values.setting, action="append", default=[], metavar="NAME=VALUE", help="any other number "
        "of the recipe, such as width=64 of r3gan; may be repeated")  # fmt: skip
    add("--latent-dim", type=values.at_most(65536), metavar="N", help="numbers in a latent")
    add("--loss", metavar="NAME", help="non_saturating, minimax, least_squares, hinge, wasserstein or relativistic")
    add("--critic-steps", type=values.at_most(1000), metavar="N", help="updates of the discriminator in a step")
    add("--penalty-every", type=values.at_most(10_000), metavar="N", help="steps from one computation of gradient "
        "penalties to the next")  # fmt: skip
    add("--ema", type=values.share, metavar="D", help="draw samples from a moving average of the generator's "
        "weights, of which this share stays at each step")  # fmt: skip
    add("--augment", metavar="POLICY", help="change images before they are judged: color, translation, cutout, or some "
        "of them with commas")  # fmt: skip
    add("--quality-every-epochs", type=values.positive, metavar="N", help="measure 1,000 samples every N epochs")
    program.run(main, parser)
