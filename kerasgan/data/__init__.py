"""Where images come from: sources, splits and seeded batches."""

from kerasgan.data.batches import Batches
from kerasgan.data.errors import DataError
from kerasgan.data.module import DataModule
from kerasgan.data.picture import read_picture
from kerasgan.data.sources import load
from kerasgan.data.write_shards import write_shards

__all__ = ["Batches", "DataError", "DataModule", "load", "read_picture", "write_shards"]
