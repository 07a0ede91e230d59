import torch

from ganforge.data.glyphs import SHAPES, glyphs


def test_every_class_is_drawn_equally_often_and_with_jitter():
    images = glyphs(200, 0)
    assert images.shape == (1, 28, 28) and images.labels.bincount().tolist() == [20] * len(SHAPES)
    assert len(images.images.flatten(1).unique(dim=0)) == 200
    assert images.images.amax((1, 2, 3)).min() > 150 and images.images[:, :, 0, 0].float().mean() < 20


def test_the_seed_determines_the_glyphs():
    first, again, other = glyphs(40, 1), glyphs(40, 1), glyphs(40, 2)
    assert torch.equal(first.images, again.images) and torch.equal(first.labels, again.labels)
    assert not torch.equal(first.images, other.images)


def test_classes_differ_more_than_their_glyphs():
    images = glyphs(1000, 0)
    means = torch.stack([images.images[images.labels == k].double().mean(0).flatten() for k in range(10)])
    nearest = torch.cdist(glyphs(300, 1).images.double().flatten(1), means).argmin(1)
    assert (nearest == glyphs(300, 1).labels).double().mean() > 0.6
