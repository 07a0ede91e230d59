"""``ganforge sample --codes``."""

import ganforge

SMALL = ["batch_size=8", "latent.normal=4", "generator.filters=4", "discriminator.filters=4", "run.precision=fp32"]


def test_sample_codes_writes_one_sheet(bars_file, run_command):
    ganforge.train("infogan", data=bars_file, steps=2, out="run", changes=SMALL)
    assert run_command("sample", "run", "--codes")[0] == 0
    code, _, err = run_command("sample", "run", "--codes", "--n", 5)
    assert code == 2 and "one sheet" in err
    code, _, err = run_command("sample", "--model", "mnist", "--codes")
    assert code == 2 and "has no codes" in err and err.count("\n") == 1
