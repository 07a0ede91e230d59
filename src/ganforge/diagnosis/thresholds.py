"""Thresholds of the findings on signals and logs; those of measured pictures are in `ganforge.metrics.thresholds`.

A threshold without a run behind it says so: it is a definition, or an order of magnitude.
"""

# Moments

STALE = 1.5
"""Growth of the step since an examination from which it says nothing on the present; two of its geometric marks."""
FIRST_STEPS = 100
"""Steps before which nothing is decided: players and averages have hardly moved from their initial weights."""
YOUNG_STEPS = 500
"""Steps before which pictures that are alike may be a slow start, however few images make an epoch."""

# Collapse and variety

MOST_CLASSES = 0.9
"""Share of the classes that "everywhere" means: one class of ten may differ."""
FALLEN = 0.2
"""Spread of the pixels that pictures once reached, so that alike pictures are a collapse and no slow start. Four slow
starts of `vanilla` on MNIST stayed below .07 for 1,500 steps; three generators at fifty times their rate jumped to .24
and more."""
NARROW_RECALL = 0.7
"""Recall relative to other reals below which a small spread counts. Three healthy runs on glyphs had a spread within
their classes of .53 to .57, with .89 and more; a generator of 500 learned pictures had .24 with .32."""
RISING = 1.1
"""Growth of the spread since half of the steps, by which pictures still become more varied."""
FEWEST_EXPECTED = 20
"""Number of pictures of a class, expected among the fakes, from which its absence is no chance."""
REPEATED = 0.2
"""Share of pictures with a twin, beyond that of real ones, from which pictures repeat."""
EQUAL_DRAWS = 0.05
"""Spread of the draws for one condition, relative to reals, below which noise has no effect."""

# Discriminator

APART = 6.0
"""Distance between the mean logits of reals and fakes, in standard deviations within each, that no logit crosses."""
TOGETHER = 0.3
"""The same distance below which a discriminator only guesses: it is right in 56 % of the cases."""
SILENT_LOGITS = 0.1
"""Difference and deviation of the logits below which a discriminator says nothing: with a rate 100 times too low both
stay below .02, and in 30 sound runs the deviation was .15 or more."""
FAR, FAR_JUDGED = 10.0, 50.0
"""Fréchet distance, in multiples of that of other reals, of pictures that are far from real: of an examination, whose
256 pictures raise both, and of a judge's 10,000."""
KNOWN_BY_HEART, SEEN = 0.3, 0.4
"""Place of the held-out images' mean logit on the way from training images (0) to fakes (1), and its distance from that
of training images in standard deviations of all logits: above both, held-out images are no longer real to it."""
RECALL_LOST = 0.75
"""Recall relative to its best so far, below which recall falls."""

# Labels

FEWEST_FOR_LABELS = 500
"""Number of training images from which a reader of their labels, trained on them, is better than chance."""
CONTRADICTED, HALF_RIGHT = 0.8, 0.6
"""Share of real images that a judge reads as their label, relative to the share of which it is sure, below which the
labels are wrong; and the share itself below which a conditional training fails. A sound judge reads at least as many
rightly as it is sure of (MNIST .996 and .99, CIFAR-10 .84 and less); with half of the labels moved by one .5."""
CHANCE = 2.0
"""Accuracy on held-out real images, in multiples of chance, below which labels say nothing about their pictures."""

# Memory

COPIED = 0.6
"""Share of fakes nearer to a training image than to any held-out one; .5 without copying."""
COPYING_P = 1e-4
"""p-value of the nearest-neighbour test below which copying is no chance, in any of a hundred runs."""

SUSPECTED_COPYING_P = 0.01
"""p-value that, beside a discriminator that knows its training images, counts as rising copying."""

# Course

JUMPS, FEWEST_JUMPS, SMALL_SPREAD = 1.25, 6, 0.01
"""Mean factor between the spreads of successive logged batches, beyond a steady rise, above which the variety jumps;
the smallest number of batches; and the spread below which differences do not count. In 30 sound runs the factor was at
most 1.2, in runs at thirty times their rates and with generators fifty times too fast 1.3 to 2.4."""
WANDERING = 0.25
"""Mean total variation between the class shares of successive examinations, over the last half of a run."""
TURNED_OVER = 0.8
"""Mean change of the pictures of fixed latents between examinations, relative to the distance of two reals."""
EXPLODED_SPREAD = 3.0
"""Spread of the pictures, relative to real ones, above which they run away."""
EXPLODED_LOGITS = 100.0
"""Difference or deviation of the discriminator's logits above which they run away; sound runs stay below 20."""
EXPLODED_WEIGHTS = 30.0
"""Growth of the norm of a player's weights since the first examination."""
FEWEST_FOR_TREND = 4
"""Number of examinations since a third of the steps, from which a trend is fitted."""
RESOLVED = 3.0
"""Fréchet distance of an examination, in multiples of that of other reals, from which its 256 pictures resolve a
change; a healthy generator has 1.5 to 2, and wavers by a quarter from one examination to the next."""
STILL_GAINS, NO_GAIN = 0.2, 0.05
"""Gain in Fréchet distance by training as long again: above the first the run is too short, below the second it has
reached a plateau."""
SHORT_RECALL = 0.8
"""Recall relative to other reals, of a run shorter than an epoch, below which it was too short: `forge-2` on glyphs had
.77 after 150 steps, and .90 to .94 in three healthy runs of 1,500."""
