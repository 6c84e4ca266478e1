from benchmarks.conditions import NETS, conditions


def test_every_kind_of_condition_is_measured_against_none() -> None:
    (table,) = conditions([], 1).tables
    assert [row[0] for row in table.rows] == list(NETS)
    assert table.rows[0][2] == "+0.0 %" and float(str(table.rows[-1][1])) > 0
