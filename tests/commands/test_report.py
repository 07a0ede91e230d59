import json


def test_report_writes_a_page_and_says_where(run_command, trained, tmp_path):
    trained()
    code, out, err = run_command("report", "run")
    assert code == 0, err
    assert "run/report.html: " in out and (tmp_path / "run" / "report.html").exists()
    code, out, _ = run_command("report", "run", "run", "--out", "page.html", "--json")
    assert code == 0
    written = json.loads(out)
    assert written["file"] == "page.html" and written["runs"][0]["run"] == "run" and len(written["runs"]) == 1
    assert written["bytes"] == (tmp_path / "page.html").stat().st_size


def test_report_refuses_in_one_line(run_command, tmp_path):
    for arguments in (("report", "nothing"), ("report", "nothing", "--out", "x.txt"), ("report",)):
        code, _, err = run_command(*arguments)
        assert code == 2 and err.strip().count("\n") == 0
