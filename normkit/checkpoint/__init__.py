"""Checkpoints: named arrays on disk, read and written one at a time, so that memory holds the array at hand."""

from normkit.checkpoint import places
from normkit.checkpoint.contents import Checkpoint, Entry
from normkit.checkpoint.opening import open_checkpoint
from normkit.checkpoint.writer import Writer, digest
from normkit.checkpoint.writing import writing

__all__ = ["Checkpoint", "Entry", "Writer", "digest", "open_checkpoint", "places", "writing"]
