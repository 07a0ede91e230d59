import json
import threading

import pytest
import torch

import ganforge.benchmarks.ablations as room
from conftest import UNWRITABLE, needs_mnist
from ganforge.benchmarks import seed_run, task_queue
from ganforge.benchmarks.ablation_report import SAME, AblationReport, RowReport, SetupReport, title
from ganforge.benchmarks.ablation_setups import ABLATION_SETUPS, POINTS, AblationSetup, Digits, Ring
from ganforge.benchmarks.common import BenchmarkOptions
from ganforge.benchmarks.cost import Cost
from ganforge.benchmarks.protocols import BenchmarkSpec
from ganforge.benchmarks.technique_list import BASE, TECHNIQUES, Technique
from ganforge.data.synthetic import ring
from ganforge.errors import Interrupted, UserError
from ganforge.recipes.reading import load_recipe
from ganforge.runs.checkpoint import newest_checkpoint

SMALL = ("generator.hidden=[8, 8]", "discriminator.hidden=[6]", "run.device=cpu", "run.checkpoint_seconds=0")
ROWS = (
    Technique("twice", "D learns at twice its rate", ("discriminator_lr=2e-4",)),
    Technique("many", "ten updates of D", ("game.order=alternating", "game.discriminator_steps=10")),
    Technique("alone", "batches of an odd number", ("game.packing=3",)),
    Technique("same", "what it is already", ("game.order=simultaneous",)),
)


def small_arena(name="ring", changes=SMALL):
    protocol = BenchmarkSpec(
        f"techniques on {name}", "a circle", Ring(ring()), "gan-2d", 12, 3, 500, 0, 6, published={}
    )
    return AblationSetup(name, protocol, changes, POINTS)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(room, "ABLATION_SETUPS", {"ring": small_arena(), "circle": small_arena("circle")})
    monkeypatch.setattr(room, "TECHNIQUES", ROWS)
    monkeypatch.setattr(room, "MOMENT", 0.005)
    monkeypatch.setattr(task_queue, "WAIT", 0.02)


def play(**options):
    return room.run_ablations(BenchmarkOptions("techniques", **{"data": ["ring"], "seeds": 2, "out": "out", **options}))


def files(folder):
    return {file: file.stat().st_mtime_ns for file in folder.rglob("seed-*/step-*.json")}


def test_every_row_gets_the_compute_of_the_base(tmp_path):
    (setup,) = play().setups
    rows = {row.technique.name: row for row in setup.rows}
    assert list(rows) == ["base", "twice", "many", "alone", "same"]
    assert rows["base"].steps == 12 and rows["base"].cost.ratio == 1
    assert rows["many"].cost.ratio > 2
    assert rows["many"].steps == max(1, round(12 / rows["many"].cost.ratio))
    for row in (rows["base"], rows["twice"], rows["many"]):
        assert [seed["seed"] for seed in row.seeds] == [0, 1]
        assert {seed["step"] for seed in row.seeds} == {row.steps}
    kept = json.loads((tmp_path / "out" / "ring" / "many" / "cost.json").read_text())
    assert kept["ratio"] == rows["many"].cost.ratio
    assert not list((tmp_path / "out").rglob("*.safetensors"))


def test_an_invalid_row_is_refused_with_the_reason_of_the_recipe(tmp_path):
    (setup,) = play(seeds=1).setups
    rows = {row.technique.name: row for row in setup.rows}
    assert "packing = 3 must divide batch_size = 100" in rows["alone"].why_skipped
    assert setup.verdict(rows["alone"]).startswith("refused: recipe gan-2d: game.packing = 3 must")
    assert setup.verdict(rows["same"]) == SAME
    table = dict((row[0], row[-1]) for row in setup.table())
    assert table["alone"] == setup.verdict(rows["alone"])
    assert table["twice"] == "cannot tell with 1 seed: 3 or more are needed"
    assert not (tmp_path / "out" / "ring" / "alone").exists()


def test_finished_seeds_are_kept_and_more_are_added(tmp_path):
    play(only=["twice"])
    before = files(tmp_path)
    cost = (tmp_path / "out" / "ring" / "twice" / "cost.json").read_bytes()
    (setup,) = play(only=["twice"], seeds=3).setups
    assert {file: time for file, time in files(tmp_path).items() if file in before} == before
    assert len(files(tmp_path)) == 6 and len(setup.rows[0].seeds) == 3
    assert (tmp_path / "out" / "ring" / "twice" / "cost.json").read_bytes() == cost
    assert len(play(only=["twice"], seeds=1).setups[0].rows[1].seeds) == 3


@pytest.mark.slow
def test_a_stopped_and_resumed_run_has_the_same_figures(tmp_path, monkeypatch):
    straight = play(only=["twice"], steps=40, out="straight").setups[0]
    here, there = tmp_path / "out" / "ring" / "twice", tmp_path / "straight" / "ring" / "twice"
    here.mkdir(parents=True)
    for name in ("benchmark.json", "recipe.toml", "cost.json"):  # the measured cost differs between calls
        (here / name).write_bytes((there / name).read_bytes())
    after_step = seed_run.Trial._after_step

    def impatient(seed, state, stats):
        after_step(seed, state, stats)
        if (seed.plan.folder.name, seed.seed, state.step) == ("twice", 1, 5):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(Interrupted, match="kept in out"):
        patch.setattr(seed_run.Trial, "_after_step", impatient)
        play(only=["twice"], steps=40)
    assert newest_checkpoint(here / "seed-1" / "checkpoints")[1]["step"] == 5
    assert len(files(tmp_path / "out")) == 3
    after = play(only=["twice"], steps=40).setups[0]
    figures = [[seed["figures"] for row in setup.rows for seed in row.seeds] for setup in (after, straight)]
    assert figures[0] == figures[1]


def test_two_parallel_calls_share_the_runs(tmp_path, monkeypatch):
    played, original = [], room._train

    def noted(plan, seed, on_fraction):
        played.append((plan.folder.name, seed))
        original(plan, seed, on_fraction)

    monkeypatch.setattr(room, "_train", noted)
    reports = []
    workers = [threading.Thread(target=lambda: reports.append(play())) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(played) == [(name, seed) for name in ("base", "many", "twice") for seed in (0, 1)]
    assert reports[0].to_dict() == reports[1].to_dict()


def test_a_seed_that_diverges_is_a_result(tmp_path, monkeypatch):
    wild = Technique("wild", "too far away", ("latent.std=3e38",))
    monkeypatch.setattr(room, "TECHNIQUES", (wild,))
    (setup,) = play().setups
    assert setup.rows[1].diverged == 2
    assert setup.verdict(setup.rows[1]) == "harms: 2 of 2 seeds diverged"
    assert setup.table()[2][1] == "–"
    assert json.dumps(setup.to_dict(), allow_nan=False)
    before = files(tmp_path)
    play()
    assert files(tmp_path) == before


def test_a_folder_holds_one_base(tmp_path, monkeypatch):
    play(only=["twice"], seeds=1)
    other = small_arena(changes=("generator.hidden=[9, 8]", *SMALL[1:]))
    monkeypatch.setattr(room, "ABLATION_SETUPS", {"ring": other})
    with pytest.raises(UserError, match="another recipe"):
        play(only=["twice"], seeds=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": ["rnig"]}, "--data rnig: did you mean ring"),
        ({"only": ["twcie"]}, "--only twcie: did you mean twice"),
        ({"seeds": 0}, "--seeds 0: must be more than 0"),
        ({"steps": 0}, "--steps 0: must be more than 0"),
        ({"out": "taken"}, "taken holds other files (thesis.tex"),
        ({"out": UNWRITABLE}, f"cannot write to {UNWRITABLE}"),
    ],
)
def test_an_invalid_call_is_one_line_and_nothing_is_written(tmp_path, options, words):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.tex").touch()
    with pytest.raises(UserError) as caught:
        play(**options)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "taken", tmp_path / "taken" / "thesis.tex"]


# The data sets


def test_misplaced_counts_the_points_that_would_have_to_move():
    arena = Ring(ring())
    real = arena.mixture.points(100_000, 0).points
    assert arena.figures(real)["misplaced"] < 0.5
    one = arena.mixture.centres[:1].expand(1000, 2)
    assert arena.figures(one)["misplaced"] == pytest.approx(87.6, abs=0.1)
    half = torch.cat([real[:500], torch.full((500, 2), 9.0)])
    assert arena.figures(half)["misplaced"] == pytest.approx(49.4, abs=4)
    assert arena.figures(torch.full((10, 2), 9.0))["misplaced"] == pytest.approx(98.9, abs=0.1)
    assert list(arena.figures(real)) == list(POINTS)


@pytest.mark.parametrize("arena", ABLATION_SETUPS.values(), ids=ABLATION_SETUPS)
def test_every_base_is_valid_and_plain(arena):
    recipe = load_recipe(arena.protocol.recipe, arena.changes)
    arena.protocol.problem.refuse(recipe)
    assert recipe.run.precision == "fp32"  # 'auto' could settle differently for base and row
    assert not recipe.penalties.items() and not recipe.terms.items()
    assert (recipe.game.packing, recipe.game.unroll, recipe.averaging.half_life) == (1, 0, 0)
    assert not recipe.game.spectral_norm
    assert not recipe.schedule.lr_decay_start and not recipe.schedule.instance_noise


@pytest.mark.parametrize("arena", ABLATION_SETUPS.values(), ids=ABLATION_SETUPS)
def test_every_row_but_one_is_valid_or_equals_the_base(arena):
    rows = room._rows(arena, (BASE, *TECHNIQUES), room.Path("out"), BenchmarkOptions("techniques"))
    refused = {row.technique.name: row.why_skipped for row in rows if row.plan is None and row.why_skipped != SAME}
    assert list(refused) == (["minibatch-std"] if arena.data == "ring" else ["batch-norm"])
    assert all("no such field" in reason for reason in refused.values())
    assert sum(row.plan is not None for row in rows) >= 13
    twice = {"d-rate-twice": "discriminator_lr", "g-rate-twice": "generator_lr"}
    for row in rows:
        if row.technique.name in twice and row.plan is not None:
            rate = twice[row.technique.name]
            assert getattr(row.plan.recipe, rate) == 2 * getattr(row.base, rate)


@pytest.mark.slow
@needs_mnist
def test_digits_are_compared_with_validation_images_and_copies_are_detected():
    all_of_them, few = Digits(), Digits(500)
    floor = few.floor(600)
    assert floor["frechet_distance"] < 2 and floor["copying"] == pytest.approx(0.5, abs=0.08)
    assert "copying" not in all_of_them.floor(600)
    copies = few._training_images.images[torch.arange(600) % 500]
    assert few.figures(copies)["copying"] > 0.95
    noise = torch.randint(0, 256, (600, 1, 28, 28), dtype=torch.uint8)
    assert few.figures(noise)["frechet_distance"] > 20
    assert len(few._training_images) == 500 and few._training_images.labels.unique().numel() == 10
    assert all_of_them.identity() != few.identity()
    assert list(ABLATION_SETUPS["mnist-500"].better) == list(floor)
    with pytest.raises(UserError, match="unconditional"):
        few.refuse(load_recipe("cgan"))


# The report


def seeds(*values):
    return tuple(
        {"seed": k, "seconds": 8.0, "figures": {"500": {**dict.fromkeys(POINTS, 1.0), "misplaced": value}}}
        for k, value in enumerate(values)
    )


def report(*rows, name="ring"):
    floor = {**dict.fromkeys(POINTS, 1.0), "misplaced": 2.0}
    row_reports = [
        RowReport(Technique(*names), (), why, Cost(1.5, 1.4, 1.6, 0.1, 0.15), 8, results)
        for names, why, results in rows
    ]
    return SetupReport(small_arena(name), 12, 500, floor, tuple(row_reports))


BASE_ROW = (("base", "as it is"), "", seeds(50.0, 51.0, 49.0))


def test_verdicts_in_words():
    setup = report(
        BASE_ROW,
        (("good", ""), "", seeds(26.0, 27.0, 25.0)),
        (("bad", ""), "", seeds(98.0, 97.0, 99.0)),
        (("idle", ""), "", seeds(50.5, 50.0, 49.5)),
        (("wild", ""), "", seeds(90.0, 10.0, 50.0)),
        (("refused", ""), "no such field", ()),
    )
    words = [setup.verdict(row) for row in setup.rows[1:]]
    assert words[0].startswith("helps (p = ") and words[1].startswith("harms (p = ")
    assert words[2].startswith("does nothing (p = ") and words[3].startswith("cannot tell (p = ")
    assert words[4] == "refused: no such field"
    assert [setup.outcome(row) for row in setup.rows[1:]] == [
        "helps",
        "harms",
        "does nothing",
        "cannot tell",
        "refused",
    ]


def test_other_figures_that_changed_are_named():
    better = seeds(50.5, 50.0, 49.5)
    for k, seed in enumerate(better):
        seed["figures"]["500"] |= {"high_quality": 40.0 + k / 10, "reverse_kl": 2.0 + k / 100}
    setup = report(BASE_ROW, (("it", ""), "", better))
    assert setup.verdict(setup.rows[1]).endswith("; better: HQ %; worse: reverse KL")


def test_the_table_has_means_cost_gain_and_real_data():
    header, base, row, real = report(BASE_ROW, (("good", ""), "", seeds(26.0, 27.0, 25.0))).table()
    assert header == (
        *("technique", "misplaced %", "modes", "HQ %", "reverse KL", "std / true", "cost", "steps", "s"),
        *("gain in misplaced % (95 %)", "verdict"),
    )
    assert base[:2] == ("base", "50 ± 1") and base[-1] == base[-2] == ""
    assert row[:2] == ("good", "26 ± 1") and row[6:9] == ("1.50", "8", "8")
    assert row[9].startswith("50% (45% to 55%)")
    assert real[:2] == ("*real data*", "2")


def test_a_figure_that_a_seed_lacks_has_no_mean():
    lacking = seeds(26.0, 27.0, 25.0)
    lacking[1]["figures"]["500"]["reverse_kl"] = None
    setup = report(BASE_ROW, (("it", ""), "", lacking))
    assert setup.table()[2][4] == "–" and setup.table()[2][1] == "26 ± 1"
    assert setup.to_dict()["rows"][1]["figures"]["reverse_kl"] is None


def test_markdown_has_verdicts_side_by_side_and_json_has_everything():
    rows = BASE_ROW, (("good", "it | does good"), "", seeds(26.0, 27.0, 25.0))
    both = AblationReport("out", False, (report(*rows), report(*rows, name="circle")))
    lines = both.markdown().splitlines()
    assert lines[0] == "| technique | ring | circle | description |"
    assert lines[2] == "| good | helps | helps | it \\| does good |"
    assert "### circle: a circle" in lines
    tables = [line for line in lines if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {5, 12}
    values = json.loads(json.dumps(both.to_dict(), allow_nan=False))
    good = values["data"]["ring"]["rows"][1]
    assert good["cost"]["ratio"] == 1.5 and good["word"] == "helps"
    assert good["effects"]["misplaced"]["gain"] == pytest.approx(0.5)
    assert good["figures"]["misplaced"] == {"mean": 26.0, "sd": 1.0}
    assert values["data"]["ring"]["deciding"] == "misplaced"


def test_every_figure_has_a_title():
    assert not any("_" in title(name) for arena in ABLATION_SETUPS.values() for name in arena.better)
