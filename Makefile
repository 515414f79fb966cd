# Everything runs in $(VENV), which is made on first use: `make demo` or `make test` is all it takes.
VENV ?= .venv
PYTHON ?= python3
ARGS ?=

PY := $(VENV)/bin/python
# Whatever else an environment knows as abc_mmdet, the targets below run this checkout.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))

# An environment that is complete bears the mark of what it was made from (and of its place, as
# the package is installed from there), so changed requirements install again and a branch switched
# to and fro does not.
REQUIREMENTS := setup.cfg requirements/constraints.txt
MARK := $(VENV)/.complete-$(shell { cat $(REQUIREMENTS); echo $(abspath $(VENV)); } | cksum | cut -d' ' -f1)
UNFINISHED := $(VENV)/.unfinished
PIP_INSTALL := $(PY) -m pip install $(if $(CI),-qq) --disable-pip-version-check \
	--constraint requirements/constraints.txt

.PHONY: help setup demo demo-events test test-all lint format doctor clean
.DEFAULT_GOAL := help

help:
	@echo 'make demo      train, test and draw on a small generated data set (minutes)'
	@echo 'make demo-events  the same with an event camera: simulate, convert, stream, film'
	@echo 'make test      run the tests; ARGS="-k neck" passes options to pytest'
	@echo 'make test-all  run the slow tests as well'
	@echo 'make lint      ruff and mypy, changing nothing'
	@echo 'make format    let ruff put right what it can'
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
	$(PIP_INSTALL) --editable '.[onedl,events,faster-coco-eval,onnx,tensorboard,dev]'
# imaug pulls in two builds of OpenCV that overwrite each other; where the one with windows is on
# top and the machine has no libGL, the other must be.
	@$(PY) -c 'import cv2' 2>/dev/null || \
		$(PIP_INSTALL) --no-deps --force-reinstall opencv-python-headless
	@touch $@ && rm -f $(UNFINISHED)

DEMO := configs/small/abc_synthetic.py
demo: setup
	$(PY) tools/dataset_converters/synthetic_traffic.py data/synthetic_traffic
	rm -rf work_dirs/demo
	$(PY) tools/train.py $(DEMO) --work-dir work_dirs/demo
	$(PY) tools/test.py $(DEMO) "$$(cat work_dirs/demo/last_checkpoint)" \
		--work-dir work_dirs/demo --show-dir pictures

RAW_EVENTS := data/synthetic_events_raw
DEMO_EVENTS := configs/small/abc_synthetic_events.py
demo-events: setup
	$(PY) tools/dataset_converters/synthetic_events.py $(RAW_EVENTS) --size 640x360
	$(PY) tools/dataset_converters/prophesee.py $(RAW_EVENTS) data/synthetic_events \
		--dataset etram
	rm -rf work_dirs/demo_events
	$(PY) tools/train.py $(DEMO_EVENTS) --work-dir work_dirs/demo_events
	$(PY) tools/analysis_tools/browse_events.py $(DEMO_EVENTS) \
		"$$(cat work_dirs/demo_events/last_checkpoint)" --out work_dirs/demo_events/film.mp4 \
		--upscale 3
	$(PY) benchmarks/still_objects.py $(DEMO_EVENTS) \
		"$$(cat work_dirs/demo_events/last_checkpoint)" --work-dir work_dirs/demo_events

# One process per core; the tests of a file stay together, as they share what is costly to make.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile
test: setup
	$(PY) -m pytest $(SIDE_BY_SIDE) -m 'not slow' $(ARGS)

test-all: setup
	$(PY) -m pytest $(SIDE_BY_SIDE) $(ARGS)

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: setup
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

doctor: setup
	$(PY) -m abc_mmdet.doctor

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find abc_mmdet benchmarks configs tests tools -name __pycache__ -prune -exec rm -rf {} +
