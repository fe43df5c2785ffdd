"""What both engines say of a loss in which no variable has had a part."""


def unconnected(player: str) -> ValueError:
    """Return the error for a player whose loss comes from none of its variables: its training would change nothing."""
    return ValueError(
        f"The loss of {player!r} comes from none of its variables, so nothing would be trained; compute it, and "
        "gradients that go into it, within the function that minimize() is given."
    )
