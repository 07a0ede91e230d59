"""Pictures whose channels are those of several pictures: pairs and clips."""

from typing import Literal, NamedTuple

from ganforge.errors import UserError


class Parts(NamedTuple):
    """What the channels of a picture are: a target of ``channels`` channels and its input, or frames of as many."""

    kind: Literal["pair", "clip"]
    channels: int


TAKING = {"pair": "take own-pairs", "clip": "take next-frame"}
"""The recipe for each kind."""
GIVING = {
    "pair": "give a folder with input/ and target/",
    "clip": "give a folder of animations, or an .npz of [clips, frames, C, H, W], uint8",
}
"""The data of each kind."""


def count_of(number: int, parts: Parts | None) -> str:
    """Return a number of images with its noun: "1 image", "8 pairs", "2 clips"."""
    return f"{number} {parts.kind if parts else 'image'}{'' if number == 1 else 's'}"


def check_parts(name: str, found: Parts | None, taken: Parts | None, channels: int) -> None:
    """Check that a set of this name has the parts that a recipe takes; None means single pictures.

    Arrays with other ``channels`` than 1 and 3 have no known parts, and are not checked.

    Raises:
        UserError: the set has other parts, or their channels are more or fewer.
    """
    if found is None and taken is not None and channels in (1, 3):
        raise UserError(f"{name} holds single pictures, and this recipe takes {taken.kind}s: {GIVING[taken.kind]}")
    if found is None or found == taken:
        return
    if taken is None or found.kind != taken.kind:
        wanted = "single pictures" if taken is None else f"{taken.kind}s"
        raise UserError(f"{name} holds {found.kind}s, and this recipe takes {wanted}: {TAKING[found.kind]}")
    what = "targets" if found.kind == "pair" else "frames"
    colours = "in colour" if found.channels == 3 else "grey"
    raise UserError(f"the {what} of {name} are {colours}: add --set pairs.channels={found.channels}")
