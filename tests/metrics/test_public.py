import inspect
import subprocess
import sys

import ganforge.metrics


def modules_after(statements):
    process = subprocess.run(
        [sys.executable, "-c", f"import sys\n{statements}\nprint(*sys.modules)"], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    return set(process.stdout.splitlines()[-1].split())


def test_every_public_name_exists_and_has_a_docstring():
    for name in ganforge.metrics.__all__:
        assert inspect.getdoc(getattr(ganforge.metrics, name)), name


def test_reals_are_the_first_argument_of_every_function():
    for name in ("frechet_distance", "kernel_distance", "neighbourhood", "precision_recall", "density_coverage"):
        parameters = list(inspect.signature(getattr(ganforge.metrics, name)).parameters)
        assert parameters[:2] == ["real_features", "fake_features"], name


def test_metrics_are_not_imported_before_their_use():
    ask = "from ganforge.commands.main import main\nsys.argv = ['ganforge', '--help']\ntry: main()\nexcept SystemExit: pass"
    loaded = modules_after(f"import ganforge\n{ask}")
    assert "ganforge.commands.main" in loaded
    assert not loaded & {"ganforge.metrics", "torch", "numpy", "scipy"}


def test_scipy_stats_is_not_imported():
    loaded = modules_after("import ganforge.metrics")
    assert "ganforge.metrics.intervals" in loaded
    assert "scipy.stats" not in loaded
