import pytest

from kerasgan.metrics.tables import escape, table


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("T-shirt/top", "T-shirt/top"),
        ("val_loss", "val_loss"),  # nothing is emphasised inside a word
        ("_a_", r"\_a\_"),
        ("a|b\r\nc", r"a\|b c"),
        ("**$x$** <b>", r"\*\*\$x\$\*\* \<b\>"),
        ("[a](b)", r"\[a\](b)"),
        ("back\\slash `code`", r"back\\slash \`code\`"),
        ("\x1b[2J", r"\\x1b\[2J"),  # would clear a terminal
    ],
)
def test_any_text_is_shown_as_it_is(text, written):
    assert escape(text) == written


def test_every_line_of_a_table_is_as_long_as_the_others():
    lines = table(["a", "b"], [["long name", "1"], ["x", "12,345"]]).splitlines()
    assert lines == [
        "| a         |      b |",
        "| :-------- | -----: |",
        "| long name |      1 |",
        "| x         | 12,345 |",
    ]
