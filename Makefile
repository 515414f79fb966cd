# Everything runs in $(VENV), which is made on first use: `make demo` or `make test` is all it takes.
VENV ?= .venv
PYTHON ?= python3
ARGS ?=

PY := $(VENV)/bin/python
# Whatever else an environment knows as abc_mmdet, the targets below run this checkout.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

# Which versions $(VENV) is made of: pinned, lowest or upstream; see docs/versions.md.
VERSIONS := pinned
CONSTRAINTS := requirements/constraints.txt
EXTRAS := tensorboard,dev
requirements.pinned := --constraint $(CONSTRAINTS) --editable '.[onedl,events,onnx,$(EXTRAS)]'
requirements.upstream := --constraint $(CONSTRAINTS) --requirement requirements/upstream.txt \
	--editable '.[events,onnx,$(EXTRAS)]'
# without events and onnx, whose packages ask for newer NumPy and PyTorch than the rest does
requirements.lowest := --constraint $(VENV)/lowest.txt --editable '.[onedl,$(EXTRAS)]'

# An environment that is complete bears the mark of what it was made from (and of its place, as
# the package is installed from there), so changed requirements install again and a branch switched
# to and fro does not.
sources.pinned := setup.cfg $(CONSTRAINTS)
sources.upstream := $(sources.pinned) requirements/upstream.txt
sources.lowest := setup.cfg requirements/lowest.py
MARK := $(VENV)/.complete-$(shell { cat $(sources.$(VERSIONS)); echo $(abspath $(VENV)); } | cksum | cut -d' ' -f1)
UNFINISHED := $(VENV)/.unfinished
PIP_INSTALL := $(PY) -m pip install $(if $(CI),-qq) --disable-pip-version-check

.PHONY: help setup demo demo-events test test-all test-core test-lowest test-upstream fuzz soak \
	lint format docs doctor clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo      train, test and draw on a small generated data set (minutes)'
	@echo 'make demo-events  the same with an event camera: simulate, convert, stream, video'
	@echo 'make test      run the tests; ARGS="-k neck" passes options to pytest'
	@echo 'make test-all  run the slow tests as well'
	@echo 'make test-lowest    run the core of the tests with the lowest versions of setup.cfg'
	@echo 'make test-upstream  run it with the upstream MMDetection, MMEngine and MMCV'
	@echo 'make soak      train for long and see whether memory, files and processes stay'
	@echo 'make fuzz      damaged files and odd options by the thousand; CASES=20000 for more'
	@echo 'make lint      ruff, mypy, import-linter and the documentation, changing nothing'
	@echo 'make format    let ruff put right what it can'
	@echo 'make docs      build the documentation into site/'
	@echo 'make doctor    say what works here and what is missing'
	@echo 'make setup     make $(VENV) only (implied by all of the above)'
	@echo 'make clean     delete caches and build products; keeps $(VENV), data and work_dirs'
	@echo 'Variables: VENV=$(VENV)  PYTHON=$(PYTHON)'

setup: $(MARK)

# An environment whose making was interrupted is made anew: pip takes half-copied packages for
# installed ones. One that was here before is only added to, never deleted.
$(MARK):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'make: the pinned packages need Python 3.11 or newer; $(PYTHON) is missing or older.' \
			'Name another: make PYTHON=python3.12' >&2; exit 2; }
	@if [ -e $(UNFINISHED) ]; then rm -rf $(VENV)/bin $(VENV)/lib $(VENV)/lib64; fi
	@if [ ! -x $(PY) ]; then \
		echo 'Making $(VENV): several minutes and about 7 GB of disk.'; \
		mkdir -p $(VENV) && touch $(UNFINISHED) && $(PYTHON) -m venv $(VENV); fi
	@rm -f $(VENV)/.complete-*
	@[ $(VERSIONS) != lowest ] || \
		$(PYTHON) requirements/lowest.py onedl,$(EXTRAS) > $(VENV)/lowest.txt
	$(PIP_INSTALL) $(requirements.$(VERSIONS))
# imaug pulls in two builds of OpenCV that overwrite each other; where the one with windows is on
# top and the machine has no libGL, the other must be, in the same version.
	@$(PY) -c 'import cv2' 2>/dev/null || $(PIP_INSTALL) --no-deps --force-reinstall \
		"opencv-python-headless==$$($(PY) -c \
		'from importlib.metadata import version; print(version("opencv-python"))')"
	@touch $@ && rm -f $(UNFINISHED)

DEMO := configs/small/abc_synthetic.py
demo: setup
	$(PY) tools/dataset_converters/synthetic_traffic.py data/synthetic_traffic
	rm -rf work_dirs/demo
	$(PY) tools/train.py $(DEMO) --work-dir work_dirs/demo
	$(PY) tools/test.py $(DEMO) "$$(cat work_dirs/demo/last_checkpoint)" \
		--work-dir work_dirs/demo --show-dir images

RAW_EVENTS := data/synthetic_events_raw
DEMO_EVENTS := configs/small/abc_synthetic_events.py
demo-events: setup
	$(PY) tools/dataset_converters/synthetic_events.py $(RAW_EVENTS) --size 640x360
	$(PY) tools/dataset_converters/event_recordings.py $(RAW_EVENTS) data/synthetic_events \
		--dataset etram
	rm -rf work_dirs/demo_events
	$(PY) tools/train.py $(DEMO_EVENTS) --work-dir work_dirs/demo_events
	$(PY) tools/analysis_tools/browse_events.py $(DEMO_EVENTS) \
		"$$(cat work_dirs/demo_events/last_checkpoint)" --out work_dirs/demo_events/video.mp4 \
		--upscale 3
	$(PY) benchmarks/still_objects.py $(DEMO_EVENTS) \
		"$$(cat work_dirs/demo_events/last_checkpoint)" --work-dir work_dirs/demo_events

# One process per core; the tests of a file stay together, as they share what is costly to make.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile
SLOWEST := --durations=15
test: setup
	$(PY) -m pytest $(SIDE_BY_SIDE) $(SLOWEST) -m 'not slow' $(ARGS)

# Here tools do start from scratch, and nothing is cut short; see tests/warm_python.py.
test-all: setup
	COLD_TOOLS=1 FUZZ_CASES=1200 $(PY) -m pytest $(SIDE_BY_SIDE) $(SLOWEST) $(ARGS)

# What other versions can break: models, data, evaluation, training, and one training, resumed and
# tested, as processes.
CORE := tests/checkpoints tests/configs tests/datasets tests/engine tests/evaluation tests/models \
	tests/utils tests/visualization tests/tools/test_train_and_test.py
test-core: setup
	$(PY) -m pytest $(SIDE_BY_SIDE) -m 'not slow' $(CORE) $(ARGS)

test-lowest:
	$(MAKE) test-core VENV=.venv-lowest VERSIONS=lowest

# MMEngine 0.10.7 cannot read its own checkpoints with torch >= 2.6 otherwise.
test-upstream:
	TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 $(MAKE) test-core VENV=.venv-upstream VERSIONS=upstream

soak: setup
	$(PY) tools/dataset_converters/synthetic_traffic.py data/synthetic_traffic
	$(PY) benchmarks/soak.py $(ARGS)

CASES ?= 20000
fuzz: setup
	FUZZ_CASES=$(CASES) $(PY) -m pytest $(SIDE_BY_SIDE) tests/fuzz $(ARGS)

# A warning is an error (mkdocs.yml), but not with --quiet, which does not count them. The variable
# silences the theme's notice about MkDocs 2.
SITE := NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build
docs: setup
	$(SITE)
	@echo 'The documentation is in site/index.html'

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(SITE)

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

doctor: setup
	$(PY) -m abc_mmdet.doctor

clean:
	rm -rf build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find abc_mmdet benchmarks configs tests tools -name __pycache__ -prune -exec rm -rf {} +
