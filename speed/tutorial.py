"""The tutorial's own way to train S1: TensorFlow in its version-1 mode, a graph that is fed batch by batch.

As ../docs/systems.md describes S1, written anew after the tutorial's description. Needs TensorFlow (the extra `speed`)
and nothing of ganforge, so that another Python may run it:

    python speed/tutorial.py FOLDER_OF_MNIST [EPOCHS]   its 100 epochs, start-up and sheets of samples included: seconds
    python speed/tutorial.py FOLDER_OF_MNIST steps      plays so many steps for each number on stdin, then answers
"""

import time

BEGAN = time.perf_counter()

import gzip  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import matplotlib  # noqa: E402

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow.compat.v1 as tf  # noqa: E402

NOISE, HIDDEN, PIXELS, BATCH, IMAGES = 128, 256, 784, 100, 55_000


class Reader:
    """Batches of MNIST's first 55,000 images, shuffled anew in every epoch, as the tutorial's reader gives them."""

    def __init__(self, folder: Path) -> None:
        with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
            levels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, PIXELS)
        self.images = levels[:IMAGES].astype(np.float32) / 255
        self.at = IMAGES

    def next_batch(self) -> np.ndarray:
        """Return the next 100 images."""
        if self.at + BATCH > IMAGES:
            self.images, self.at = self.images[np.random.permutation(IMAGES)], 0
        self.at += BATCH
        return self.images[self.at - BATCH : self.at]


def normal(*shape: int) -> tf.Variable:
    """Return weights as the tutorial begins with them."""
    return tf.Variable(tf.random_normal(shape, stddev=0.01))


class Game:
    """Both nets, both optimisers, one session."""

    def __init__(self) -> None:
        tf.disable_eager_execution()
        self.x, self.z = tf.placeholder(tf.float32, [None, PIXELS]), tf.placeholder(tf.float32, [None, NOISE])
        into, out = (normal(NOISE, HIDDEN), tf.Variable(tf.zeros([HIDDEN]))), (normal(HIDDEN, PIXELS),)
        g = [*into, *out, tf.Variable(tf.zeros([PIXELS]))]
        d = [normal(PIXELS, HIDDEN), tf.Variable(tf.zeros([HIDDEN])), normal(HIDDEN, 1), tf.Variable(tf.zeros([1]))]

        def net(x: tf.Tensor, w: list[tf.Variable]) -> tf.Tensor:
            return tf.nn.sigmoid(tf.matmul(tf.nn.relu(tf.matmul(x, w[0]) + w[1]), w[2]) + w[3])

        self.fake = net(self.z, g)
        on_real, on_fake = net(self.x, d), net(self.fake, d)
        self.d_value = tf.reduce_mean(tf.log(on_real) + tf.log(1 - on_fake))
        self.g_value = tf.reduce_mean(tf.log(on_fake))
        self.d_step = tf.train.AdamOptimizer(2e-4).minimize(-self.d_value, var_list=d)
        self.g_step = tf.train.AdamOptimizer(2e-4).minimize(-self.g_value, var_list=g)
        self.session = tf.Session()
        self.session.run(tf.global_variables_initializer())

    def play(self, reader: Reader, steps: int) -> tuple[float, float]:
        """Play so many steps; return the last values."""
        values = (0.0, 0.0)
        for _ in range(steps):
            noise = np.random.normal(size=(BATCH, NOISE))
            _, ours = self.session.run([self.d_step, self.d_value], {self.x: reader.next_batch(), self.z: noise})
            _, theirs = self.session.run([self.g_step, self.g_value], {self.z: noise})
            values = ours, theirs
        return values

    def sheet(self, file: Path) -> None:
        """Draw ten samples in a row."""
        samples = self.session.run(self.fake, {self.z: np.random.normal(size=(10, NOISE))})
        figure, axes = plt.subplots(1, 10, figsize=(10, 1))
        for axis, sample in zip(axes, samples, strict=True):
            axis.set_axis_off()
            axis.imshow(sample.reshape(28, 28))
        figure.savefig(file, bbox_inches="tight")
        plt.close(figure)


def main() -> None:
    """Train for the tutorial's length, or answer on stdin."""
    folder, wish = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "100"
    reader, game = Reader(folder), Game()
    if wish == "steps":
        print("ready", flush=True)
        for line in sys.stdin:
            game.play(reader, int(line))
            print("done", flush=True)
        return
    Path("samples").mkdir(exist_ok=True)
    for epoch in range(int(wish)):
        values = game.play(reader, IMAGES // BATCH)
        if epoch == 0 or (epoch + 1) % 10 == 0:
            game.sheet(Path(f"samples/{epoch:03d}.png"))
            print(
                f"epoch {epoch}: D {values[0]:.3f}, G {values[1]:.3f}, {time.perf_counter() - BEGAN:.1f} s", flush=True
            )


if __name__ == "__main__":
    main()
