"""The kind of a data set whose images are not pictures: sounds as spectra, and signals as rows of samples.

A kind travels with the images, into ``run.json`` and into the file of a generator. It decides which recipe is the
default, how sheets look, and which files hold generated data.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from ganforge.errors import UserError
from ganforge.settings import Settings


class Sound(Settings):
    """Sounds as pictures of their spectrum, uint8 [N, 1, bands, frames]; `ganforge.data.spectra` has the equations.

    Attributes:
        rate: samples in a second.
        bands: mel bands, the height of a picture.
        frames: columns of a picture, ``hop`` samples apart.
        hop: samples between two frames.
        window: samples of a frame.
        floor: level in dB of black, relative to the loudest point of a recording, which is white.
    """

    kind: Literal["sound"] = "sound"
    rate: int = Field(ge=4000, le=192_000, description="samples in a second")
    bands: int = Field(32, ge=8, le=256, description="mel bands")
    frames: int = Field(32, ge=8, le=4096, description="frames of a spectrum")
    hop: int = Field(ge=8, le=16_384, description="samples between two frames")
    window: int = Field(ge=16, le=65_536, description="samples of a frame")
    floor: float = Field(-60.0, lt=0, description="level of black in dB below the loudest point")

    @property
    def samples(self) -> int:
        """The length of a sound in samples."""
        return (self.frames - 1) * self.hop

    @property
    def seconds(self) -> float:
        """The length of a sound in seconds."""
        return self.samples / self.rate


class Signals(Settings):
    """Signals [C, T] as images uint8 [N, C, 1, T], each channel scaled from ``low`` .. ``high`` to 0 .. 255.

    Attributes:
        low: smallest training value of each channel, in the user's units.
        high: largest training value of each channel.
    """

    kind: Literal["signals"] = "signals"
    low: tuple[float, ...] = Field(min_length=1, strict=False)
    high: tuple[float, ...] = Field(min_length=1, strict=False)


Kind = Sound | Signals
_KIND: TypeAdapter[Kind] = TypeAdapter(Annotated[Kind, Field(discriminator="kind")])


def read_kind(values: Mapping[str, Any] | None, where: str) -> Kind | None:
    """Return the kind that a run or a generator's file records; None for pictures.

    Raises:
        UserError: the record is damaged.
    """
    if values is None:
        return None
    try:
        return _KIND.validate_python(dict(values))
    except ValidationError as error:
        raise UserError(f"{where}: the kind of its data is damaged ({error.errors()[0]['msg']})") from None
