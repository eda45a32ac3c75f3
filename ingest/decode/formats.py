"""Which decoder reads a topic's bytes: one line a format, its topic in ``schemas.topics.UPLINKS``."""

from typing import Final

from ingest.decode import native, owntracks, senml
from ingest.decode.answers import Decoder
from schemas.topics import Format

DECODERS: Final[dict[Format, Decoder]] = {
    Format.NATIVE: native.decode,
    Format.OWNTRACKS: owntracks.decode,
    Format.SENML: senml.decode,
}
