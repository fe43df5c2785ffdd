def test_spoilt_digits_are_measured_in_a_table(script):
    done = script("check_measures.py", "--only", "none,copies")
    assert (done.returncode, done.stderr) == (0, "")
    assert "149 test images of digits against 148 others" in done.stdout
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in table[2:]] == ["as they are", "all are copies"]
    clean, copied = ([float(cell) for cell in row.split("|")[2:-1]] for row in table[2:])
    assert copied[-1] > 0.9 > 0.2 > clean[-1]  # the share of copies
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_an_unknown_way_is_refused_in_one_line(here):
    refused = here("check_measures.py", "--only", "none,rotation")
    assert refused.returncode == 2
    assert "error: argument --only: 'rotation' is unknown; choose from none, noise" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
