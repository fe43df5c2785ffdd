"""A folder of pictures, for whoever reads from one."""

from pathlib import Path

from PIL import Image

from peers.workloads import Workload


def written(workload: Workload) -> Path:
    """Write the images of a round as PNGs into a new folder, one sub-folder a class, and return where.

    The system has what was just written in memory: it is decoding that is measured, and no disk.
    """
    folder = Path("pictures")
    for label in set(workload.labels()):
        (folder / str(label)).mkdir(parents=True)
    for number, (pixels, label) in enumerate(zip(workload.pixels(), workload.labels(), strict=True)):
        Image.fromarray(pixels[..., 0]).save(folder / str(label) / f"{number}.png")
    return folder
