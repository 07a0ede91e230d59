"""Search of a generator's latent space for pictures that a classifier reads wrongly and the readers surely.

Random draws come first. The search then goes on from those that are nearest to a mistake: with the gradient where the
classifier is a torch module, else by evolution. A moved latent keeps the length of its own kind, so every picture that
is found is one that the generator may draw.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganforge.data.images import PIXEL_RANGES
from ganforge.evaluation.readers import Readers
from ganforge.evaluation.user_classifier import UserClassifier
from ganforge.generation.generator import Generator
from ganforge.process_state import plain_state
from ganforge.randomness import random_generator

CHUNK = 1000
"""Pictures between two reports of progress."""
PARENTS = 500
"""Latents from which one round of the search goes on."""
REACH = 0.35
"""Part of a child's latent that is new, as the sine of the angle between parent and child."""
GRADIENT_STEPS, RATE, READERS_WEIGHT = 5, 0.06, 0.5
"""Steps of Adam between two looks at the pictures, their size, and the weight of the readers' log-probability."""

OnDrawn = Callable[[int], None]
"""Called with the number of pictures just drawn."""


@dataclass(frozen=True)
class Drawn:
    """Drawn pictures with what the classifier and the readers say.

    Attributes:
        latent: [N, latent_dim].
        labels: the classes that were asked for, int64 [N].
        images: uint8 [N, C, H, W].
        probabilities: of the classifier, float32 [N, K].
        sure: whether both readers are sure of the label, bool [N].
        features: of the judge, float32 [N, F].
    """

    latent: Tensor
    labels: Tensor
    images: Tensor
    probabilities: Tensor
    sure: Tensor
    features: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> Tensor:
        """The classifier's class, int64 [N]."""
        return self.probabilities.argmax(1)

    @property
    def wrong(self) -> Tensor:
        """Whether the readers are sure and the classifier says another class, bool [N]."""
        return self.sure & (self.predicted != self.labels)

    @property
    def margin(self) -> Tensor:
        """Probability of the label minus that of the best other class, [N]: below 0 the classifier is wrong."""
        own = self.probabilities.gather(1, self.labels[:, None])[:, 0]
        others = self.probabilities.scatter(1, self.labels[:, None], -1.0)
        return own - others.amax(1)

    def select(self, rows: Tensor | slice) -> "Drawn":
        """Return some rows, by indices, bool [N] or a slice."""
        parts = (self.latent, self.labels, self.images, self.probabilities, self.sure, self.features)
        return Drawn(*(part[rows] for part in parts))

    def concat(self, other: "Drawn") -> "Drawn":
        """Return the rows of both."""
        mine = (self.latent, self.labels, self.images, self.probabilities, self.sure, self.features)
        theirs = (other.latent, other.labels, other.images, other.probabilities, other.sure, other.features)
        return Drawn(*(torch.cat(pair) for pair in zip(mine, theirs, strict=True)))


@dataclass(frozen=True)
class Explorer:
    """A generator with classes, the classifier, and the readers."""

    generator: Generator
    classifier: UserClassifier
    readers: Readers

    def look(self, latent: Tensor, labels: Tensor) -> Drawn:
        """Draw latents [N, latent_dim] with labels int64 [N], and ask the readers and the classifier."""
        images = self.generator.draw(latent, labels.to(latent.device))
        sure, features = self.readers.read(images, labels)
        probabilities = self.classifier.probabilities(images, len(self.generator.class_names))
        return Drawn(latent.cpu(), labels, images, probabilities, sure, features)

    def draw(self, count: int, seed: int, on_drawn: OnDrawn | None = None, name: str = "probe") -> Drawn:
        """Draw ``count`` random pictures, of all classes in turn."""
        latent = self.generator.latent(count, seed=seed, name=name)
        labels = torch.arange(count) % len(self.generator.class_names)
        return self._look_in_chunks(latent, labels, on_drawn)

    def _look_in_chunks(self, latent: Tensor, labels: Tensor, on_drawn: OnDrawn | None) -> Drawn:
        drawn: Drawn | None = None
        for chunk, own in zip(latent.split(CHUNK), labels.split(CHUNK), strict=True):
            looked = self.look(chunk, own)
            drawn = looked if drawn is None else drawn.concat(looked)
            if on_drawn:
                on_drawn(len(own))
        assert drawn is not None
        return drawn

    def search(self, start: Drawn, count: int, seed: int, on_drawn: OnDrawn | None = None) -> Drawn:
        """Draw up to ``count`` further pictures, each round from the sure ones of the least margin so far."""
        pool, found, rounds = start.select(start.sure), start.select(torch.zeros(0, dtype=torch.int64)), 0
        cost = 1 + (GRADIENT_STEPS if self.classifier.module is not None else 0)
        while count >= cost and len(pool):
            parents = pool.select(pool.margin.argsort(stable=True)[: min(PARENTS, count // cost)])
            children = self._look_in_chunks(self._children(parents, seed, rounds), parents.labels, None)
            # a parent whose child was taken gives its place to others
            pool = pool.select(pool.margin.argsort(stable=True)[len(parents) :])
            better = children.select(children.sure & ~children.wrong)
            pool, found = pool.concat(better), found.concat(children)
            count, rounds = count - cost * len(parents), rounds + 1
            if on_drawn:
                on_drawn(cost * len(parents))
        return found

    def _children(self, parents: Drawn, seed: int, number: int) -> Tensor:
        """Return one moved latent for each parent."""
        if self.classifier.module is not None:
            return self._descend(parents)
        random = random_generator(seed, "probe children", number)
        noise = torch.randn(parents.latent.shape, generator=random).to(parents.latent)
        kept: float = (1 - REACH**2) ** 0.5
        return kept * parents.latent + REACH * noise

    @plain_state()
    def _descend(self, parents: Drawn) -> Tensor:
        """Do steps of Adam on the classifier's log-probability of the label, while the readers keep theirs."""
        assert self.classifier.module is not None
        low, high = PIXEL_RANGES[self.generator.recipe.pixel_range]
        latent = parents.latent.to(self.generator.device).clone().requires_grad_()
        length = latent.detach().norm(dim=1, keepdim=True)
        optimizer = torch.optim.Adam([latent], RATE)
        labels = parents.labels
        for _ in range(GRADIENT_STEPS):
            pixels = (self.generator.module(latent, labels.to(latent.device)).cpu() - low) / (high - low)
            own = self.classifier.log_probabilities(pixels).gather(1, labels[:, None])[:, 0]
            loss = (own - READERS_WEIGHT * self.readers.log_probability(pixels, labels)).sum()
            optimizer.zero_grad()
            loss.backward(inputs=[latent])
            optimizer.step()
            with torch.no_grad():
                latent.mul_(length / latent.norm(dim=1, keepdim=True))
        return latent.detach()
