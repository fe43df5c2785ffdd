"""What a text on the command line may stand for; each reader is a `type` of argparse."""

import argparse
import math
import os
from collections.abc import Callable


def positive(text: str) -> int:
    """Read a whole number of at least one."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not positive; give a whole number of at least 1")
    return number


def natural(text: str) -> int:
    """Read a whole number of at least zero."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative; give a whole number of at least 0")
    return number


def at_most(limit: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from one: what is beyond the limit would fill the memory and be of no use."""

    def number(text: str) -> int:
        if positive(text) > limit:
            raise argparse.ArgumentTypeError(f"{text} is too large; give a whole number of at most {limit}")
        return int(text)

    return number


def seed(text: str) -> int:
    """Read what NumPy takes for a seed."""
    if natural(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text} is too large; give a whole number below {2**32}")
    return int(text)


def share_or_count(text: str) -> int | float:
    """Read a number of things, or a fraction of them below one."""
    number = float(text)
    if not 0 < number < math.inf or (number >= 1 and number != int(number)):
        raise argparse.ArgumentTypeError(f"{text} is neither a whole number nor a fraction below 1")
    return int(number) if number >= 1 else number


def size(text: str) -> int | float:
    """Read a number of examples, or a fraction of them below one; 0 for none."""
    return 0 if text.strip("0.") == "" else share_or_count(text)


def rate(text: str) -> float:
    """Read a learning rate."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is no learning rate; give a number between 0 and 1 such as 2e-4")
    return number


def fraction(text: str) -> float:
    """Read a number from 0 up to, but not including, 1."""
    number = float(text)
    if not 0 <= number < 1:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give a number from 0 up to 1 such as 0.5")
    return number


def share(text: str) -> float:
    """Read a number between 0 and 1, both excluded."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is out of range; give a number between 0 and 1 such as 0.999")
    return number


def setting(text: str) -> tuple[str, int | float]:
    """Read the name of a number, and the number."""
    name, _, value = text.partition("=")
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if math.isfinite(number):
            return name.strip().replace("-", "_"), number
    raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE; give a name and a finite number such as width=64")


def path(text: str) -> str:
    """Read a path to something that is there or could be made."""
    try:
        text.encode()
        os.stat(text)
    except FileNotFoundError:
        pass
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!a} is not UTF-8; choose another name") from None
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be used ({error.strerror}); choose another path") from None
    # Where x is not there yet, x/.. would make it and then fill the directory around it.
    return os.path.realpath(text) if ".." in text.split(os.sep) else text
