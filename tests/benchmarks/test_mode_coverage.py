import json
import signal
from pathlib import Path

import pytest
import torch

from conftest import UNWRITABLE
from ganforge.benchmarks import problems, protocols
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.benchmarks.mode_coverage import run_mode_coverage
from ganforge.benchmarks.mode_report import ModeCoverageReport
from ganforge.benchmarks.protocols import PROTOCOLS, Plan
from ganforge.benchmarks.seed_run import Trial, is_curve_step, read_result
from ganforge.data.images import unscale
from ganforge.data.load import load
from ganforge.errors import Interrupted, RunFailed, UserError
from ganforge.experiment.experiment import ProgressListener
from ganforge.recipes.old_names import FLAT
from ganforge.recipes.reading import load_recipe
from ganforge.runs.checkpoint import newest_checkpoint
from ganforge.runs.log import append_line, read_lines
from ganforge.training import loop
from ganforge.training.noise import NoiseSource
from ganforge.training.state import new_state
from ganforge.training.step import adversarial_step

SMALL = load_recipe("gan-2d", ["generator.hidden=[8, 8]", "discriminator.hidden=[6]", "run.device=cpu"])


class Watcher(ProgressListener):
    """Passes the progress of a benchmark to a function."""

    def __init__(self, on_progress):
        self.on_progress = on_progress

    def benchmarking(self, done, total, status, unit="steps"):
        self.on_progress(done, total, status)


def benchmark(name, recipe=None, **options):
    return run_mode_coverage(BenchmarkOptions(name, recipe, **options))


def ring(steps=120, out="out", recipe=SMALL, **options):
    return benchmark("ring", **{"recipe": recipe, "steps": steps, "out": out, "quick": True, **options})


def without_time(lines):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_a_benchmark_trains_exactly_as_the_training_loop(tmp_path):
    ring(steps=110)
    saved = newest_checkpoint(tmp_path / "out" / "seed-0" / "checkpoints")[0]
    state = new_state(SMALL, (2, 1, 1), 0, 0, torch.device("cpu"))
    batches = PROTOCOLS["ring"].problem.batches(SMALL, 0)
    draws = NoiseSource(SMALL, 0, torch.device("cpu"))
    loop.train(state, adversarial_step, SMALL, {"real": batches}, draws, stop=lambda state: state.step >= 110)
    assert saved.keys() == state.tensors().keys()
    assert all(torch.equal(value, saved[name]) for name, value in state.tensors().items())


def test_a_longer_run_continues_a_shorter_one_to_the_same_result(tmp_path):
    straight = ring(steps=210, out="straight").results
    ring(steps=110)
    assert ring(steps=210).results[0]["figures"] == straight[0]["figures"]
    curves = [read_lines(tmp_path / out / "seed-0" / "curve.jsonl") for out in ("straight", "out")]
    assert without_time(curves[0]) == without_time(curves[1])
    assert [line["step"] for line in curves[0]] == [100, 150, 200]
    with pytest.raises(UserError, match="at step 210 already"):
        ring(steps=150)


def test_an_interrupted_seed_resumes_exactly(tmp_path):
    often = SMALL.with_run(checkpoint_seconds=0.0)

    def impatient(done, total, status):
        raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="stopped in seed 0"):
        ring(recipe=often, watcher=Watcher(impatient), steps=100_000)
    folder = tmp_path / "out" / "seed-0" / "checkpoints"
    steps = newest_checkpoint(folder)[1]["step"] + 20
    append_line(
        tmp_path / "out" / "seed-0" / "curve.jsonl", {"step": steps + 9}
    )  # written, then killed before it saved
    ring(steps, recipe=often)
    assert all(line["step"] <= steps for line in read_lines(tmp_path / "out" / "seed-0" / "curve.jsonl"))
    ring(steps, out="straight")
    after, straight = (newest_checkpoint(f)[0] for f in (folder, tmp_path / "straight" / "seed-0" / "checkpoints"))
    assert all(torch.equal(value, after[name]) for name, value in straight.items())


def test_a_stop_signal_saves_the_step_at_which_it_arrives(tmp_path):
    seldom = SMALL.with_run(checkpoint_seconds=1e9)

    def stop_at_once(done, total, status):
        signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # as the command line does
    try:
        with pytest.raises(Interrupted, match="stopped in seed 0"):
            ring(recipe=seldom, watcher=Watcher(stop_at_once), steps=100_000)
    finally:
        signal.signal(signal.SIGTERM, before)
    checkpoints = tmp_path / "out" / "seed-0" / "checkpoints"
    step = newest_checkpoint(checkpoints)[1]["step"]
    assert 0 < step < 100_000
    ring(step + 5, recipe=seldom)
    ring(step + 5, recipe=seldom, out="straight")
    after, straight = (newest_checkpoint(f)[0] for f in (checkpoints, tmp_path / "straight" / "seed-0" / "checkpoints"))
    assert all(torch.equal(value, after[name]) for name, value in straight.items())


def test_finished_seeds_are_kept_and_add_up(tmp_path):
    ring()
    file = tmp_path / "out" / "seed-0" / "step-120.json"
    before = file.stat().st_mtime_ns, (tmp_path / "out" / "seed-0" / "step-120.png").read_bytes()[:4]
    report = ring(seeds=3)
    assert [seed["seed"] for seed in report.results] == [0, 1, 2]
    assert (file.stat().st_mtime_ns, b"\x89PNG") == before
    assert len(ring(seeds=1).results) == 3
    assert len({(tmp_path / "out" / f"seed-{k}" / "step-120.png").read_bytes() for k in range(3)}) == 3


@pytest.mark.slow
def test_the_modes_of_the_ring_are_learned_within_seconds():
    changes = ["generator.hidden=[64, 64]", "discriminator.hidden=[64, 64]"]
    changes += ["generator.init.scheme=glorot-uniform", "discriminator.init.scheme=glorot-uniform", "run.device=cpu"]
    recipe = load_recipe("gan-2d", [*changes, "generator_lr=1e-3", "discriminator_lr=1e-3"])
    before, after = (ring(steps, recipe=recipe).results[0]["figures"]["2500"] for steps in (20, 2000))
    assert before["modes"] <= 3 and before["high_quality"] < 1
    assert after["modes"] >= 6 and after["high_quality"] > 8


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seeds": 0}, "--seeds 0: must be more than 0"),
        ({"steps": -1}, "--steps -1"),
        ({"recipe": "cgan"}, "cannot draw the points"),
        ({"recipe": "dcgan"}, "cannot draw the points"),
        ({"out": "taken"}, "holds other files"),
        ({"out": UNWRITABLE}, "cannot write to"),
        ({"out": "done"}, "holds a benchmark of another recipe"),
        ({"out": "broken"}, "is damaged"),
    ],
)
def test_an_invalid_call_is_one_line_and_nothing_is_written(tmp_path, arguments, words):
    ring(recipe=SMALL.model_copy(update={"name": "another"}), out="done", steps=5)
    for folder, file in (("taken", "thesis.tex"), ("broken", "benchmark.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        ring(**{"steps": 5, **arguments})
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_older_benchmark_with_former_names_continues(tmp_path):
    ring(out="done", steps=5)
    file = tmp_path / "done" / "benchmark.json"
    saved = json.loads(file.read_text())
    recipe = saved["recipe"] | {"summary": "worded otherwise"}
    for old, new in FLAT.items():
        table, field = new.split(".")
        recipe[old] = recipe[table].pop(field)
    file.write_text(json.dumps(saved | {"recipe": recipe}))
    ring(out="done", steps=5, seeds=2)
    file.write_text(json.dumps(saved | {"recipe": recipe | {"unroll": 3}}))
    with pytest.raises(UserError, match="another recipe"):
        ring(out="done", steps=5)


@pytest.mark.parametrize(("name", "stream"), [("infogan-iic", "moved"), ("semi-supervised", "labelled")])
def test_a_recipe_that_needs_more_streams_than_the_data_have_is_refused(name, stream, tmp_path):
    with pytest.raises(UserError, match=f"needs batches that stacked-mnist does not have .{stream}"):
        benchmark("stacked-mnist", name, steps=1, out="out")
    assert not (tmp_path / "out").exists()


def test_a_discriminator_that_halves_images_is_refused_for_points(tmp_path):
    recipe = load_recipe("gan-2d", ["discriminator={family='dcgan'}"])
    with pytest.raises(UserError, match="a point is one pixel"):
        benchmark("ring", recipe, steps=1, out="out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_parallel_seeds_equal_sequential_seeds(tmp_path, monkeypatch):
    """Bit-identical if the sequential seeds use one thread too: sums over several threads may differ in the last bits."""
    reports, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        sequential = ring(steps=110, seeds=2, out="sequential").results
    finally:
        torch.set_num_threads(threads)
    monkeypatch.setattr("ganforge.benchmarks.mode_coverage.runs_at_once", lambda *_: 2)
    parallel = ring(
        steps=110, seeds=2, out="parallel", watcher=Watcher(lambda *progress: reports.append(progress))
    ).results
    assert [result["seed"] for result in parallel] == [0, 1]
    assert [result["figures"] for result in parallel] == [result["figures"] for result in sequential]
    for seed in (0, 1):
        one, other = (
            newest_checkpoint(tmp_path / out / f"seed-{seed}" / "checkpoints")[0] for out in ("sequential", "parallel")
        )
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert {total for _, total, _ in reports} == {220} and all(status.startswith("seed ") for *_, status in reports)
    assert ring(steps=110, seeds=1, out="parallel").results == parallel  # both are kept


@pytest.mark.slow
def test_a_diverging_seed_among_parallel_ones_is_named_once(monkeypatch):
    wild = load_recipe(
        "gan-2d", ["latent.std=3e38", "generator.hidden=[8]", "discriminator.hidden=[6]", "run.device=cpu"]
    )
    monkeypatch.setattr("ganforge.benchmarks.mode_coverage.runs_at_once", lambda *_: 2)
    with pytest.raises(RunFailed, match=r"^seed [01] diverged before step"):
        ring(recipe=wild, seeds=2)


def test_other_benchmarks_do_not_share_a_folder():
    ring(steps=5)
    with pytest.raises(UserError, match="another benchmark"):
        benchmark("grid", SMALL, steps=5, out="out", quick=True)
    with pytest.raises(UserError, match="did you mean grid"):
        benchmark("gird")
    with pytest.raises(UserError, match="stacked digits"):
        benchmark("stacked-mnist", SMALL)
    with pytest.raises(UserError, match="vae cannot draw stacked digits"):
        benchmark("stacked-mnist", "vae")


def test_a_divergence_is_no_result(tmp_path):
    wild = load_recipe(
        "gan-2d", ["latent.std=3e38", "generator.hidden=[8]", "discriminator.hidden=[6]", "run.device=cpu"]
    )
    with pytest.raises(RunFailed, match="seed 0 diverged before step"):
        ring(recipe=wild)
    assert not list((tmp_path / "out").rglob("step-120.json"))


@pytest.fixture
def digits(monkeypatch):
    monkeypatch.setattr(problems, "load", lambda name, images: load("digits", images=images))


@pytest.mark.slow
def test_stacked_digits_from_the_first_step_to_the_report(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(protocols, "QUICK_SAMPLES", 500)
    recipe = load_recipe("dcgan-tiny-quarter", ["run.device=cpu", "generator.planes=[4, 3]"])
    report = benchmark("stacked-mnist-tiny", recipe, steps=100, quick=True, out="out")
    assert report.plan.is_open and 1 <= report.results[0]["figures"]["500"]["modes"] <= 500
    assert 340 < report.floor["500"]["modes"] < 430  # 1000 (1 - 1/e^0.5) of even shares
    assert [line["n"] for line in read_lines(tmp_path / "out" / "seed-0" / "curve.jsonl")] == [500]


@pytest.mark.parametrize(("name", "alone"), [("stacked-mnist-tiny", False), ("stacked-mnist", True)])
def test_batch_statistics_come_from_the_batch_only_where_the_protocol_says_so(digits, name, alone):
    recipe = load_recipe("dcgan-tiny-quarter", ["run.device=cpu", "batch_size=16"])
    trial = Trial(Plan(PROTOCOLS[name], recipe, 1, True, Path("out")), 0)
    z = trial.noise.latent(16, "benchmark", 0)
    with torch.no_grad():
        in_a_batch = unscale(trial.state.generator.module(z), "-1..1")
    assert torch.equal(trial.samples(16), in_a_batch) != alone
    assert trial.samples(20).shape == (20, 3, 28, 28)
    assert torch.equal(trial.samples(20)[:16], trial.samples(16))


def test_marks_are_round_numbers_on_a_geometric_scale():
    marks = [step for step in range(60_001) if is_curve_step(step)]
    assert marks[:11] == [100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1500]
    assert marks[-9:] == [8000, 10_000, 15_000, 20_000, 25_000, 30_000, 40_000, 50_000, 60_000]


# The report


def report(figures, steps=400_000, quick=False, recipe="gan-2d"):
    both = ("2500", "100000")
    seeds = [
        {"seed": k, "step": steps, "seconds": 8.0, "figures": dict.fromkeys(both, f)} for k, f in enumerate(figures)
    ]
    real = {"modes": 8, "high_quality": 98.9, "reverse_kl": 0.0014, "std_ratio": 1.0}
    floor = {n: real for n in both}
    return ModeCoverageReport(Plan(PROTOCOLS["ring"], load_recipe(recipe), steps, quick, "out"), floor, seeds)


def figures(modes, good=98.0, kl=0.1, std=1.0):
    return {"modes": modes, "high_quality": good, "reverse_kl": kl, "std_ratio": std}


def test_mean_deviation_and_worst_seed():
    summary = report([figures(8, 99, 0.0, 0.9), figures(6, 97, 0.3, 1.05)]).summary(2500)
    assert (summary["modes"].mean, summary["modes"].worst) == (7, 6)
    assert summary["modes"].sd == pytest.approx(2**0.5)
    assert summary["high_quality"].worst == 97 and summary["reverse_kl"].worst == 0.3
    assert summary["std_ratio"].worst == 0.9  # further from 1
    assert report([figures(8)]).summary(2500)["modes"].sd is None
    assert report([figures(8), figures(0, 0, None, None)]).summary(2500)["reverse_kl"] is None


@pytest.mark.parametrize(("modes", "full", "faint"), [(26, 669, True), (500, 900, False), (400, 400, False)])
def test_faint_digits_are_distinguished_from_a_collapse(modes, full, faint):
    plan = Plan(PROTOCOLS["stacked-mnist-tiny"], load_recipe("dcgan-tiny-half"), 5, False, "out")
    measured = {"modes": modes, "reverse_kl": 5.0, "modes_full_contrast": full, "reverse_kl_full_contrast": 1.4}
    seeds = [{"seed": k, "step": 5, "seconds": 1.0, "figures": {"25600": measured}} for k in range(2)]
    coverage = ModeCoverageReport(plan, {"25600": measured}, seeds)
    assert coverage.is_faint == faint
    header, rows = coverage.header, coverage.table()
    assert header[3:5] == ("modes, full contrast", "KL, full contrast")
    assert rows[-1][4] == "1.40 ± 0 (1.40)" and rows[0][3:5] == ("–", "–")


def test_the_row_names_what_was_shortened():
    assert report([figures(8)] * 10).terms == "10 seeds"
    short = report([figures(8)], steps=40_000).terms
    assert short == "1 seed of 10, 40,000 of 400,000 steps: shortened, not the protocol"
    assert report([figures(8)], steps=5_000, quick=True).terms.startswith(
        "--quick, no protocol: 1 seed of 10, 5,000 of"
    )
    assert report([figures(8)], recipe="dcgan").terms.endswith("other networks: open architecture")


def test_the_table_has_published_rows_the_floor_and_ours():
    coverage = report([figures(8, 98.5, 0.02), figures(7)])
    header, rows = coverage.header, coverage.table()
    assert header == ("method", "modes / 8", "HQ %", "reverse KL", "std / true", "n", "how")
    assert rows[0] == ("GAN", "6.3", "98.20", "0.45", "–", "2,500", "PacGAN, 10 trials")
    assert rows[-4][:2] == ("real data (floor)", "8")
    assert rows[-2][:3] == ("ours: gan-2d", "7.5 ± 0.7 (7)", "98.25 ± 0.35 (98.00)")
    assert [row[-2] for row in rows[-4:]] == ["2,500", "100,000"] * 2
    assert all(len(row) == len(header) for row in rows)
    plan = Plan(PROTOCOLS["stacked-mnist-tiny"], load_recipe("dcgan-tiny-half"), 5, False, "out")
    tiny = ModeCoverageReport(plan, {"25600": {"modes": 1000, "reverse_kl": 0.02}}, [])
    assert tiny.table()[0][:4] == ("DCGAN", "487.7 ± 34.6 (s.e.)", "2.24", "25,600")


def test_json_has_everything_and_only_valid_numbers():
    document = report([figures(8), figures(0, 0, None, None)]).to_dict()
    values = json.loads(json.dumps(document, allow_nan=False))
    assert values["summary"]["2500"]["modes"]["worst"] == 0
    assert len(values["published"]) == 4 and len(values["seeds"]) == 2 and values["is_protocol"]
    assert values["seconds_per_10k_steps"] == pytest.approx(0.2)


RESULT = {
    "seed": 0,
    "step": 5,
    "seconds": 1.0,
    "figures": {"2500": {"modes": 8.0, "reverse_kl": None}},
    "torch": "2.13",
}


def test_a_complete_result_is_read_and_a_damaged_one_is_named(tmp_path):
    file = tmp_path / "step-5.json"
    file.write_text(json.dumps(RESULT))
    assert read_result(file) == RESULT
    for damage in ({**RESULT, "figures": {"2500": 8}}, {**RESULT, "step": None}, [RESULT], {}):
        file.write_text(json.dumps(damage))
        with pytest.raises(UserError, match=r"step-5\.json is damaged; delete it"):
            read_result(file)


def test_leftovers_of_a_killed_call_do_not_block_its_folder(tmp_path):
    (tmp_path / "killed").mkdir()
    for name in (".lock", ".1a2b3c4d-1-0123456789abcdef.writing", "recipe.toml"):
        (tmp_path / "killed" / name).touch()
    assert ring(out="killed", steps=5).results[0]["step"] == 5
    assert load_recipe(str(tmp_path / "killed" / "recipe.toml")).batch_size == SMALL.batch_size
