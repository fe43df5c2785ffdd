"""The one error that everything in `kerasgan.data` raises."""


class DataError(ValueError):
    """Data, or an option about data, cannot be used.

    The message is one line: where (a file, a folder or an option), what is wrong, what would be right.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Escape what would break a line or steer a terminal.

    File and folder names reach messages, and class names the summary; both may hold any character.

    Args:
        text: Any text.

    Returns:
        The text on one line, each unprintable character as its Python escape.
    """
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def is_utf8(name: str) -> bool:
    """Tell whether a name of a file or folder can be written into text and printed, as any but an odd one can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
