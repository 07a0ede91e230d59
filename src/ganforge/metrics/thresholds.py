"""All thresholds of measuring and of diagnosis: which counts are sufficient, and which values are good.

The limits that decide whether a judge fits the images are in `ganforge.judge.choice`.
"""

# Measuring

CONFIDENT = 0.8
"""Confidence from which a prediction of the judge counts as sure."""
PRESENT = 0.3
"""A class is present from this fraction of its share among the reals: .03 of all fakes for ten equal classes."""
RARE = 0.1
"""Unlabelled reals contain a class from this fraction of an equal share."""
FEWEST_TO_EVALUATE = 100
"""Smallest number of fakes, and of reals, for an evaluation: ten splits of ten."""
FEWEST_FOR_SPREAD = 10
"""Smallest number of images of a class for its spread; at 10 the spread is uncertain by about a fifth."""
FEWEST_FOR_FRECHET = 256
"""Smallest number of images for a Fréchet distance on 128 features; below, a 128×128 covariance is mostly noise."""
FEWEST_FOR_RECALL = 50
"""Smallest number of images for precision and recall; below, a recall is uncertain by more than .07."""
MOST_FOR_RECALL = 5000
"""Largest number of fakes, and of reals, for precision and recall of a verdict, whose cost is quadratic."""

# Diagnosis: values of the fakes

COLLAPSED = 0.05
"""Relative spread within a class below which all images of the class count as one image."""
NARROW = 0.6
"""Relative spread within a class below which its images are too much alike; real images of equal number have 1."""
READABLE_SHARE = 0.5
"""Confident share of fakes, relative to reals, below which the images are not readable yet."""
LABEL_FOLLOWED = 0.9
LABEL_IGNORED = 0.5
"""Label agreement, relative to the judge's accuracy on reals: above the first followed, below the second ignored."""
CLASSES_HEALTHY = 0.8
"""Smallest fraction of present classes in a healthy run."""
FEW_HANDWRITINGS = 0.5
"""Recall within a class, relative to other reals, below which its images repeat or are blurred."""
NEAR = 5
"""Largest Fréchet distance of a healthy run, relative to that of other reals."""
GOOD_ACCURACY = 0.95
"""If the judge's accuracy on real images is lower, the verdict quotes it."""

# Diagnosis: values of the log

WON_LOSS = 0.02
"""Discriminator loss that counts as 0; at chance it is 1.39, and a balanced game stays above 0.3."""
WON_FAKE, WON_REAL = 0.01, 0.8
"""The discriminator has won if D(G(z)) is below the first and D(x) above the second, averaged over the last fifth
of the log."""
SILENT = 0.5
"""KL divergence of the codes from N(0, 1), in nats per image, below which they carry no information."""
YOUNG, OLD = 10, 200
"""Epochs before which a collapse may be a slow start, and epochs after which longer training hardly helps."""
