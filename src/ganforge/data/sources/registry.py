"""The registry of data sets that have a name; adding a data set means adding an entry.

An entry gives the files with their checksums, the mirrors to download from, and the reader of a folder of these files.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ganforge.data.images import ImageSet
from ganforge.data.moving_digits import moving_digits
from ganforge.data.normalize_arrays import RawSplits
from ganforge.data.parts import Parts
from ganforge.data.sources.dataset_formats import (
    CIFAR10,
    CIFAR10_ARCHIVE,
    CIFAR10_MEMBERS,
    FASHION,
    KMNIST,
    LETTERS,
    LETTERS_ARCHIVE,
    LETTERS_MEMBERS,
    read_cifar10,
    read_grey,
    read_letters,
)
from ganforge.data.sources.fetch import StoredFile
from ganforge.data.sources.idx import read_idx_folder


@dataclass(frozen=True)
class Entry:
    """One data set of the registry.

    Attributes:
        name: the name of the data set.
        about: a description in one line.
        read: reads the images from the folder of the files (any folder if there are no files).
        files: the files to download.
        mirrors: base URLs; the file name is appended.
        members: the files in the archive, accepted unpacked in place of the archive.
        stand_in: an alternative form of the data set, used if the files are missing.
        folder: the name of the data set whose files are used, where it is another one.
    """

    name: str
    about: str
    read: Callable[[Path], RawSplits]
    files: tuple[StoredFile, ...] = ()
    mirrors: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    stand_in: "StandIn | None" = None
    folder: str = ""

    @property
    def subfolder(self) -> str:
        """The subfolder of the files in $GANFORGE_DATA and in the cache."""
        return self.folder or self.name


@dataclass(frozen=True)
class StandIn:
    """A folder in $GANFORGE_DATA with the same images in another form; the note on the source ends with ``caveat``."""

    folder: str
    files: tuple[str, ...]
    caveat: str


def _read_digits(_: Path) -> RawSplits:
    """Enlarge scikit-learn's 8×8 digits to MNIST's format: 20 px tall in 28×28, centred on the mass of the ink.

    Width 18, Lanczos and the steeper contrast come closest to MNIST: mean 0.132 and standard deviation 0.304 (MNIST:
    0.131 and 0.308), and 92 % accuracy of a classifier trained on MNIST alone. A plain 20×20 bicubic enlargement in the
    centre has 0.159 and 0.298, and 79 %.
    """
    from sklearn.datasets import load_digits  # imported here because the import takes a second

    small, labels = load_digits(return_X_y=True)
    pictures = np.zeros((len(small), 28, 28), np.float32)
    for picture, pixels in zip(pictures, small.astype(np.float32) / 16, strict=True):
        large = Image.fromarray(pixels.reshape(8, 8)).resize((18, 20), Image.Resampling.LANCZOS)
        ink = ((np.asarray(large) - 0.25) / 0.6).clip(0, 1)
        centre = [round((np.arange(len(line)) * line).sum() / line.sum()) for line in (ink.sum(1), ink.sum(0))]
        top, left = (int(np.clip(14 - m, 0, 28 - n)) for m, n in zip(centre, ink.shape, strict=True))
        picture[top : top + 20, left : left + 18] = ink
    images = torch.from_numpy(np.rint(pictures * 255).astype(np.uint8))[:, None]
    names = tuple(str(digit) for digit in range(10))
    return RawSplits(ImageSet(images, torch.from_numpy(labels.astype(np.int64)), names, "digits"))


CLIPS = {"train": 3_000, "validation": 300, "test": 1_000}
"""Clips of Moving MNIST in each part: 350 MB in all."""
MOVING_MNIST_TEST = (CLIPS["test"], 2)
"""Number of test clips and their seed in `moving_digits`."""
MNIST_TRAINING = 55_000


def _read_moving_mnist(folder: Path) -> RawSplits:
    """Make the clips of each part from the digits of the same part of MNIST."""
    mnist = read_idx_folder(folder, "mnist")
    assert mnist.test is not None
    digits = {
        "train": mnist.train.images[:MNIST_TRAINING],
        "validation": mnist.train.images[MNIST_TRAINING:],
        "test": mnist.test.images,
    }
    train, validation, test = (
        ImageSet(
            moving_digits(digits[part], count, seed),
            torch.full((count,), -1),
            name="moving-mnist",
            parts=Parts("clip", 1),
        )
        for seed, (part, count) in enumerate(CLIPS.items())
    )
    return RawSplits(train, validation, test)


MNIST_FILES = (
    ("train-images-idx3-ubyte.gz", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", 47_040_016),
    ("train-labels-idx1-ubyte.gz", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", 60_008),
    ("t10k-images-idx3-ubyte.gz", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", 7_840_016),
    ("t10k-labels-idx1-ubyte.gz", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", 10_008),
)
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
FASHION_MD5 = (
    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "25c81989df183df01b3e8a0aad5dffbe",
    "bef4ecab320f06d8554ea6380940ec79",
    "bb300cfdad3c16e7a12a480ee83cd310",
)
FASHION_MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
)
KMNIST_MD5 = (
    "bdb82020997e1d708af4cf47b453dcf7",
    "e144d726b3acfaa3e44228e80efcd344",
    "5c965bf0a639b31b8f53240b1b52f4d7",
    "7320c461ea6c1c855c0b718fb2a4b134",
)
KMNIST_MIRRORS = ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/", "https://codh.rois.ac.jp/kmnist/dataset/kmnist/")
LETTERS_FILE = StoredFile(LETTERS_ARCHIVE, "", 561_753_746, "58c8d27c78d21e728a6bc7b3cc06412e")
LETTERS_MIRRORS = (
    "https://biometrics.nist.gov/cs_links/EMNIST/",
    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST/",
)
CIFAR10_FILE = StoredFile(CIFAR10_ARCHIVE, "", 170_052_171, "c32a1d4ab5d03f1284b67883e8d87530")
CIFAR10_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
CIFAR10_JPEG = StandIn(
    "cifar10-jpeg",
    ("train.zip", "test.zip"),
    "the pictures are the published ones but re-encoded as JPEG, so no metric on them compares with published values",
)


def _like_mnist(md5s: tuple[str, ...]) -> tuple[StoredFile, ...]:
    """Return the files of a data set with MNIST's file names and sizes, in the order of `MNIST_FILES`."""
    return tuple(StoredFile(name, "", size, md5) for (name, _, size), md5 in zip(MNIST_FILES, md5s, strict=True))


ENTRIES = {
    entry.name: entry
    for entry in (
        Entry(
            "mnist",
            "70,000 handwritten digits, 28×28 grey (LeCun, Cortes, Burges)",
            lambda folder: read_idx_folder(folder, "mnist"),
            tuple(StoredFile(*row) for row in MNIST_FILES),
            MNIST_MIRRORS,
        ),
        Entry(
            "moving-mnist",
            "clips of two digits that move and bounce, 20 frames of 64×64 grey, made from MNIST (Srivastava et al.)",
            _read_moving_mnist,
            tuple(StoredFile(*row) for row in MNIST_FILES),
            MNIST_MIRRORS,
            folder="mnist",
        ),
        Entry(
            "digits", "1,797 handwritten digits that ship inside scikit-learn, enlarged from 8×8 to 28×28", _read_digits
        ),
        Entry(
            "fashion",
            "Fashion-MNIST: 70,000 articles of clothing in 10 classes, 28×28 grey (Zalando Research)",
            partial(read_grey, FASHION),
            _like_mnist(FASHION_MD5),
            FASHION_MIRRORS,
        ),
        Entry(
            "kmnist",
            "Kuzushiji-MNIST: 70,000 handwritten hiragana in 10 classes, 28×28 grey (CODH)",
            partial(read_grey, KMNIST),
            _like_mnist(KMNIST_MD5),
            KMNIST_MIRRORS,
        ),
        Entry(
            "emnist-letters",
            "145,600 handwritten letters a to z, large and small as one, 28×28 grey (EMNIST, NIST; 562 MB to download)",
            partial(read_letters, LETTERS),
            (LETTERS_FILE,),
            LETTERS_MIRRORS,
            LETTERS_MEMBERS,
        ),
        Entry(
            "cifar10",
            "CIFAR-10: 60,000 photographs in 10 classes, 32×32 colour (Krizhevsky; 170 MB to download)",
            partial(read_cifar10, CIFAR10),
            (CIFAR10_FILE,),
            CIFAR10_MIRRORS,
            CIFAR10_MEMBERS,
            CIFAR10_JPEG,
        ),
    )
}
"""The registry by name; the files of a data set lie in a subfolder of that name in $GANFORGE_DATA or the cache."""
