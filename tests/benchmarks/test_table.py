from benchmarks.table import Table


def test_a_table_is_markdown() -> None:
    table = Table("Speed", ("images", "us"), [(1, "36.8"), (4, "28.7")], "One thread.")
    assert table.markdown() == (
        "### Speed\n\nOne thread.\n\n| images | us |\n| --- | --- |\n| 1 | 36.8 |\n| 4 | 28.7 |\n"
    )


def test_without_title_and_notes_there_is_only_the_table() -> None:
    assert Table("", ("machine", ""), [("cores", "2")]).markdown() == "| machine |  |\n| --- | --- |\n| cores | 2 |\n"
