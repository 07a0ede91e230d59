"""A table of techniques from papers and tutorials, each as a few ``--set`` changes to a base recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Technique:
    """One row: a technique that can be switched on alone.

    Attributes:
        name: on the command line.
        about: a description in one sentence, with the paper.
        changes: ``field=value`` changes to the base recipe.
        on: other changes for single data sets, where the strength or the base differs.
    """

    name: str
    about: str
    changes: tuple[str, ...] = ()
    on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def changes_on(self, data: str) -> tuple[str, ...]:
        """Return the changes for a data set."""
        return self.on.get(data, self.changes)


BASE = Technique("base", "the unchanged base; every other row differs from it only in its changes")

# The points of the ring lie within .01 of their centres and pixels run from -1 to 1, so strengths in units of the data
# (gradients of the discriminator, noise) are set for each data set. No strength was tuned.
TECHNIQUES = (
    Technique(
        "minimax",
        "the original formula, whose gradient vanishes while D is confident (Goodfellow et al. 2014, eq. 1)",
        ("objective.name=minimax",),
    ),
    Technique(
        "least-squares",
        "squared distances instead of cross-entropy (Mao et al. 2017)",
        ("objective.name=least-squares",),
    ),
    Technique("hinge", "only logits inside a margin count (Lim and Ye 2017)", ("objective.name=hinge",)),
    Technique(
        "hinge-spectral-norm",
        "hinge loss with spectral normalisation, as in SNGAN (Miyato et al. 2018)",
        ("objective.name=hinge", "game.spectral_norm=true"),
    ),
    Technique(
        "wasserstein-penalty",
        "a critic with a gradient penalty; one update a step, where the paper has five (Gulrajani et al. 2017)",
        ("objective.name=wasserstein", "penalties.gradient_penalty.weight=10"),
    ),
    Technique(
        "relativistic-r1-r2",
        "each fake is paired with a real, with R1 and R2 (Jolicoeur-Martineau 2018; Huang et al. 2024)",
        ("objective.name=relativistic-pairing", "penalties.r1.weight=0.1", "penalties.r2.weight=0.1"),
        {"ring": ("objective.name=relativistic-pairing", "penalties.r1.weight=1e-3", "penalties.r2.weight=1e-3")},
    ),
    Technique(
        "r1",
        "D's gradient at real images is penalised (Mescheder et al. 2018, eq. 9)",
        ("penalties.r1.weight=0.1",),
        {"ring": ("penalties.r1.weight=1e-3",)},
    ),
    Technique(
        "r2",
        "D's gradient at generated images is penalised (Mescheder et al. 2018, eq. 10)",
        ("penalties.r2.weight=0.1",),
        {"ring": ("penalties.r2.weight=1e-3",)},
    ),
    Technique(
        "approximate-r1",
        "R1 by a finite difference instead of a second derivative (Lin et al. 2025)",
        ("penalties.approximate_r1.weight=0.1", "penalties.approximate_r1.sigma=0.1"),
        {"ring": ("penalties.approximate_r1.weight=1e-3", "penalties.approximate_r1.sigma=0.005")},
    ),
    Technique(
        "gradient-penalty",
        "D's gradient norm between real and generated images is pulled to 1 (Gulrajani et al. 2017, eq. 3)",
        ("penalties.gradient_penalty.weight=10",),
    ),
    Technique(
        "spectral-norm",
        "D's weights are divided by their largest singular values (Miyato et al. 2018, eq. 8)",
        ("game.spectral_norm=true",),
    ),
    Technique(
        "label-smoothing",
        "D's target on real images is .9 (Salimans et al. 2016, section 3.4)",
        ("objective.label_smoothing=0.1",),
    ),
    Technique(
        "instance-noise",
        "noise on all images that D sees, decaying to zero (Sønderby et al. 2017; Arjovsky and Bottou 2017)",
        ("schedule.instance_noise=0.1", "schedule.instance_noise_images=50_000"),
        {"ring": ("schedule.instance_noise=0.1", "schedule.instance_noise_images=200_000")},
    ),
    Technique("packing", "D sees two images at once (Lin et al. 2018, PacGAN)", ("game.packing=2",)),
    Technique(
        "minibatch-discrimination",
        "D sees the distances of each image to the rest of the batch (Salimans et al. 2016, section 3.2)",
        ("discriminator.minibatch_kernels=100",),
        {"ring": ("discriminator.minibatch_kernels=10",)},
    ),
    Technique(
        "minibatch-std",
        "D sees the standard deviation of its smallest feature map over the batch (Karras et al. 2018, section 3)",
        ("discriminator.minibatch_std=true",),
    ),
    Technique(
        "batch-norm",
        "batch normalisation in G (Ioffe and Szegedy 2015; Radford et al. 2016)",
        ("generator.batch_norm=true",),
    ),
    Technique(
        "virtual-batch-norm",
        "G is normalised over a fixed reference batch instead of its own (Salimans et al. 2016, section 3.5)",
        ("generator.virtual_batch_norm=32",),
        {"ring": ("generator.batch_norm=true", "generator.virtual_batch_norm=100")},
    ),
    Technique(
        "historical-averaging",
        "both networks are held near their average past (Salimans et al. 2016, section 3.3, without a weight)",
        ("terms.historical_averaging.weight=1e-3",),
    ),
    Technique(
        "feature-matching",
        "G matches mean features of D instead of fooling it (Salimans et al. 2016, section 3.1)",
        ("terms.feature_matching.weight=1", "game.adversarial_weight=0"),
    ),
    Technique("unrolled", "G trains against D after five more steps (Metz et al. 2017)", ("game.unroll=5",)),
    Technique(
        "two-d-steps",
        "two updates of D for each of G (Goodfellow et al. 2014, algorithm 1 with k = 2)",
        ("game.discriminator_steps=2",),
        {"ring": ("game.discriminator_steps=2", "game.order=alternating")},
    ),
    Technique(
        "two-g-steps",
        "two updates of G for each of D, common in DCGAN code",
        ("game.generator_steps=2",),
        {"ring": ("game.generator_steps=2", "game.order=alternating")},
    ),
    Technique(
        "d-rate-twice",
        "D's learning rate is doubled (S14; Heusel et al. 2017: two time scales)",
        ("discriminator_lr=4e-3",),
        {"ring": ("discriminator_lr=6e-4",)},
    ),
    Technique(
        "g-rate-twice", "G's learning rate is doubled (S14)", ("generator_lr=4e-3",), {"ring": ("generator_lr=6e-4",)}
    ),
    Technique(
        "lr-decay",
        "both learning rates fall as 1 / images seen after the first quarter or third of the run",
        ("schedule.lr_decay_start=30_000",),
        {"ring": ("schedule.lr_decay_start=100_000",)},
    ),
    Technique(
        "ema",
        "samples come from an average of G's weights (Yazıcı et al. 2019)",
        ("averaging.half_life=500_000", "averaging.ramp=0.05"),
    ),
    Technique(
        "fresh-noise",
        "G trains on fresh fakes, not on those of D's update (S15: two-phase training)",
        ("game.shared_noise=false",),
    ),
    Technique(
        "simultaneous",
        "both networks update at once, by gradients at the same weights (Mescheder et al. 2018)",
        ("game.order=simultaneous",),
    ),
    Technique("alternating", "D is updated, then G (Goodfellow et al. 2014, algorithm 1)", ("game.order=alternating",)),
    Technique("beta1-0.9", "Adam with the momentum of its paper (Kingma and Ba 2015)", ("adam.beta1=0.9",)),
    Technique("beta1-0.5", "Adam with the momentum of DCGAN (Radford et al. 2016)", ("adam.beta1=0.5",)),
)
"""Every row but the base, in the order of the table."""
