PYTHON ?= python3
BIN := .venv/bin
# Four processes hold three gigabytes at most; each uses one thread.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist worksteal

.PHONY: demo test quick check speed install judge model table clean

# Two minutes of training, then where to look.
demo: $(BIN)/ganforge
	$(BIN)/ganforge train --data auto --minutes 2

# Every test, side by side in as many processes as there are cores, four at most.
test: .venv/tested
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

# All but the slow ones: a minute and a half on two cores.
quick: .venv/tested
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

# Style and types.
check: .venv/tested
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

install: $(BIN)/ganforge

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(BIN)/ganforge: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/tested: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@ $(BIN)/ganforge

# The measurements: our training step and the same step in plain PyTorch, in turn; several seeds and one plain run; the
# cost of a run beyond its steps; a run beside busy processes; drawing and measuring; the time until the default recipe
# is good. About 45 minutes, on a machine that does nothing else. With TENSORFLOW=.venv/bin/python, after
# pip install -e ".[speed]", also S1 by the tutorial's script.
speed: $(BIN)/ganforge
	$(BIN)/python speed/step.py dcgan
	$(BIN)/python speed/step.py vanilla 9 $(if $(TENSORFLOW),--tutorial $(TENSORFLOW))
	$(BIN)/python speed/roofline.py
	$(BIN)/python speed/seeds.py vanilla 8 6000 --bf16
	$(BIN)/python speed/seeds.py ring 8 1000
	$(BIN)/python speed/overhead.py
	$(BIN)/python speed/busy.py
	$(BIN)/python speed/sampling.py
	$(BIN)/python speed/quality.py

# Trains the judge of handwritten digits again, as the shipped judge was trained.
judge: $(BIN)/ganforge
	$(BIN)/python tools/train_digit_judge.py --data mnist --out digits-new.safetensors

# Trains the generator of handwritten digits again, as the shipped generator was trained (with the penalty and average
# that forge-1 had then), and measures the generator for its card.
model: $(BIN)/ganforge
	$(BIN)/ganforge train forge-1 --data mnist --steps 26000 --seed 0 --set run.precision=bf16 --out runs/model \
		--set penalties.approximate_r1.weight=0.1 --set averaging.ramp=0.05
	$(BIN)/python tools/package_model.py runs/model mnist

# The table of all systems: three seeds, MINUTES each on one core, two at a time; a complete run is not repeated.
MINUTES ?= 2
table: $(BIN)/ganforge
	$(BIN)/python tools/systems_table.py --minutes $(MINUTES) --out runs/table-$(MINUTES)min

clean:
	rm -rf .venv dist
