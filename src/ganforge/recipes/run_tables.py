"""The tables of a recipe that belong to no network and no loss: data, game, schedule, averaging, optimiser, run.

The descriptions of the fields are the text of ``ganforge recipes show``.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from ganforge.settings import MOST_REPEATS, Settings

Beta = Annotated[float, Field(ge=0, lt=1)]


class DataSettings(Settings):
    """The images and labels that a recipe trains on."""

    images: Literal["train", "all"] = Field("train", description='"all": train on the validation images too')
    clusters: int = Field(
        0, ge=0, le=1000, description="k-means clusters of the training images in place of class labels; 0: none"
    )
    labels: NonNegativeInt = Field(
        0, description="labelled images for terms.supervised, equally many of each class; 0: all"
    )
    draw: NonNegativeInt = Field(0, description="seed that selects the labelled images")


class Game(Settings):
    """The updates of discriminator and generator in a step.

    A step is ``discriminator_steps`` updates of the discriminator, then ``generator_steps`` of the generator; with
    ``order = "simultaneous"`` both updates use gradients at the same old weights.
    """

    discriminator_steps: PositiveInt = Field(1, le=MOST_REPEATS, description="updates of the discriminator in a step")
    generator_steps: PositiveInt = Field(1, le=MOST_REPEATS, description="updates of the generator in a step")
    order: Literal["alternating", "simultaneous"] = Field(
        "alternating", description='"simultaneous": both networks update from the same old weights'
    )
    shared_noise: bool = Field(
        True, description="the generator update reuses the fakes of the last discriminator update; false: fresh fakes"
    )
    packing: PositiveInt = Field(1, le=MOST_REPEATS, description="images for each logit of the discriminator (PacGAN)")
    joint_batch: bool = Field(
        False, description="the discriminator sees real and generated images as one batch, with joint batch statistics"
    )
    unroll: NonNegativeInt = Field(
        0,
        le=MOST_REPEATS,
        description="discriminator steps that the generator looks ahead (unrolled GAN); each costs about a step",
    )
    adversarial_weight: NonNegativeFloat = Field(
        1.0, description="weight of the generator's adversarial loss; 0 leaves only the terms"
    )
    spectral_norm: bool = Field(
        False, description="divide every weight of the discriminator by its largest singular value"
    )


class Schedule(Settings):
    """Quantities that change with the number of images seen, never with a fraction of the run.

    A longer run therefore repeats a shorter one (``training/schedule.py``).
    """

    lr_decay_start: NonNegativeFloat = Field(
        0.0, description="images seen before the learning rates decay as 1 / images seen; 0: constant"
    )
    generator_lr_decay_power: PositiveFloat = Field(
        1.0, description="the generator's decay is the discriminator's to this power; above 1 it slows down more"
    )
    instance_noise: NonNegativeFloat = Field(
        0.0, description="standard deviation of noise on all images that the discriminator sees"
    )
    instance_noise_images: NonNegativeFloat = Field(
        0.0, description="images seen over which the instance noise falls to zero; 0: constant"
    )


class Averaging(Settings):
    """Exponential moving averages (EMA) of the weights."""

    half_life: NonNegativeFloat = Field(
        0.0, description="images seen in which a weight's share in the average halves; 0: no average"
    )
    ramp: NonNegativeFloat = Field(
        0.0, description="the half-life is at most this fraction of the images seen; 0: no limit"
    )
    discriminator: bool = Field(False, description="average the discriminator's weights too")


class Adam(Settings):
    """Adam (Kingma and Ba 2015), for all networks."""

    beta1: Beta = Field(0.9, description="decay of the gradient's average in each update")
    beta2: Beta = Field(0.999, description="decay of the squared gradient's average in each update")
    eps: PositiveFloat = Field(1e-8, description="added to the root of the squared gradient's average")


class RunSettings(Settings):
    """Length, output files and machine of a run.

    A run trains on ``kimg`` thousand images if ``kimg`` is above 0, else for ``epochs``, unless the user sets the
    length.
    """

    epochs: PositiveInt = Field(
        100, le=10**9, description="length of training, where neither kimg nor the command line sets one"
    )
    kimg: NonNegativeInt = Field(0, le=10**12, description="length in thousands of images seen; 0: use epochs")
    sheet: Literal["plain", "real-and-fake"] = Field(
        "plain", description='sample sheets; "real-and-fake": real test images above fakes of the same labels'
    )
    sheet_columns: int = Field(10, ge=1, le=64, description="images in a row of the sample sheets")
    log_every: PositiveInt = Field(50, description="steps between two lines of the log; early lines are denser")
    checkpoint_seconds: NonNegativeFloat = Field(30.0, description="seconds of training between two checkpoints")
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where to train; auto: a GPU if any")
    precision: Literal["auto", "bf16", "fp32", "fp64"] = Field(
        "fp32", description="auto: bf16 or fp32, whichever is faster on this machine"
    )
