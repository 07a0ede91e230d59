import torch

from ganforge.data.images import ImageSet
from ganforge.data.pseudo_labels import class_frequencies, with_kmeans_labels


def three_kinds(count=60):
    """Return images with a bright upper half, lower half or middle in turn, each slightly different."""
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 60, (count, 1, 12, 12), dtype=torch.uint8, generator=random)
    kinds = torch.arange(count) % 3
    for kind, rows in enumerate((slice(0, 6), slice(6, 12), slice(3, 9))):
        images[kinds == kind, :, rows] += 150
    return ImageSet(images, torch.full((count,), -1)), kinds


def test_similar_images_share_a_cluster():
    images, kinds = three_kinds()
    labelled = with_kmeans_labels(images, 3)
    assert labelled.images is images.images and labelled.name == images.name and len(labelled.class_names) == 3
    together = labelled.labels[:, None] == labelled.labels
    assert torch.equal(together, kinds[:, None] == kinds)
    assert torch.equal(with_kmeans_labels(images, 3).labels, labelled.labels)
    assert torch.allclose(class_frequencies(labelled.labels, 3), torch.full((3,), 1 / 3))


def test_clusters_depend_on_colours_and_not_on_labels():
    colours = torch.zeros(20, 3, 9, 9, dtype=torch.uint8)
    colours[::2, 0], colours[1::2, 2] = 200, 200
    labelled = with_kmeans_labels(ImageSet(colours, torch.arange(20) // 10, ("first", "last")), 2)
    assert len(labelled.labels[::2].unique()) == len(labelled.labels[1::2].unique()) == 1
    assert labelled.labels[0] != labelled.labels[1]


def test_identical_images_leave_clusters_empty():
    images = torch.zeros(30, 1, 8, 8, dtype=torch.uint8)
    images[::3] = 255
    labelled = with_kmeans_labels(ImageSet(images, torch.full((30,), -1)), 5)
    part = class_frequencies(labelled.labels, 5)
    assert sorted(part[part > 0].tolist()) == [torch.tensor(1 / 3).item(), torch.tensor(2 / 3).item()]
