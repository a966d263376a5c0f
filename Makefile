# Everything is run from here; Python 3.11 to 3.13 and make are enough. `make help` lists the targets.
# Works with GNU make 3.81, which is the one that comes with macOS.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TOOLS  := book._tools
NB     ?=
PORT   ?= 8000
# What test-next runs: NEXT=tests/parity/test_weights.py for a part.
NEXT   ?= tests/parity
# OPEN=0 builds the book without showing it. CI never opens anything.
OPEN   ?= 1
# WHEELS=0 makes a small kit, without packages.
WHEELS ?= 1
# The chapter that `make chapter` begins.
NAME   ?=
# The day is the seed of the long fuzz tests; SEED=... repeats another day's.
SEED   ?= $(shell date +%Y%m%d)

.DEFAULT_GOAL := help
.PHONY: help setup coreai book serve lab lint format coverage test test-all test-lib test-fuzz test-next test-notebooks site test-site \
        notebooks widgets slides chapter workshop kit page-weights screenshots bench data data-training data-post-training data-networks data-exploring data-core-ai networks constraints zoo-fixtures clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-20s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Make .venv and install what the book needs, at pinned versions

# Runs again when the list of packages changes, and never otherwise.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -m $(TOOLS).check_python
	@$(PYTHON) -m $(TOOLS).install

# Optional for readers: one chapter uses them. CI has them, and says so where they cannot be had.
coreai: $(VENV)/.coreai ## Install Apple's Core AI packages into .venv, where they have wheels (234 MB)

$(VENV)/.coreai: $(READY)
	@$(BIN)/python -m $(TOOLS).core_ai_packages
	@touch $@

book: setup ## Build the book and open it (OPEN=0: only build)
	$(BIN)/python -m $(TOOLS).build_book $(if $(filter 1,$(OPEN)),--open)

serve: setup ## Serve the built book on this computer (PORT=8000)
	$(BIN)/python -m $(TOOLS).serve --port $(PORT)

# JupyterLab shows drawings and widgets only of notebooks that were run here, or are trusted.
lab: setup ## Open the notebooks in JupyterLab
	@$(BIN)/jupyter trust notebooks/*.ipynb > /dev/null
	$(BIN)/jupyter lab --ServerApp.root_dir=notebooks

lint: coreai ## Check the code's form, the library's types, and the book's links, spelling and style; make format mends most of the form
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/python -m $(TOOLS).prose

format: setup ## Bring the code into ruff's form, and the cells of the notebooks
	$(BIN)/ruff check --fix-only --exit-zero --extend-exclude notebooks .
	$(BIN)/ruff format --exclude notebooks .
	$(BIN)/python -m $(TOOLS).format_cells

coverage: coreai ## Measure how much of toykit the tests run, by folder; the small library must reach 95 %
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n 2 --dist loadfile --doctest-modules toykit tests \
	  --ignore=tests/site --ignore=tests/benchmarks
	$(BIN)/coverage combine --quiet
	$(BIN)/python -m $(TOOLS).coverage_by_folder

# A test that waits for ever, on a browser that has died for instance, is named and shown; the others go on.
BOUNDED := --timeout 600 --timeout-method thread

test: setup lint test-lib test-notebooks site test-site ## Run every test, as CI does

test-all: test test-fuzz ## Run every test, and the long ones that CI has no time for

test-fuzz: coreai ## Run the fuzz tests at full length, and the tests marked as long (SEED=... for another seed)
	@echo "seed $(SEED): repeat it with make test-fuzz SEED=$(SEED)"
	TOYKIT_NIGHTLY=1 $(BIN)/python -m pytest -q -n 2 --dist load --hypothesis-seed=$(SEED) -rs \
	  -k "fuzz or nightly" tests --ignore=tests/site --ignore=tests/benchmarks
	TOYKIT_NIGHTLY=1 $(BIN)/python -m pytest -q -rs -k nightly tests/site

# Ten minutes of one core. It is no part of `make test`: a version that is not out yet may change any day.
test-next: setup ## Test against the next version of Core ML Tools, in an environment of its own (NEXT=... for a part)
	$(BIN)/python -m $(TOOLS).next_version
	_build/next/bin/python -m pytest -q -n 2 --dist loadfile $(NEXT)

test-lib: coreai ## Test the library and the tools
	$(BIN)/python -m pytest -q -n 2 --dist loadfile $(BOUNDED) --doctest-modules toykit tests \
	  --ignore=tests/site --ignore=tests/benchmarks

test-notebooks: coreai ## Run every notebook and compare with its stored outputs (NB=... for one)
	$(BIN)/python -m $(TOOLS).verify_outputs $(NB)

# The site that is tested is built from the outputs that test-notebooks verified, and from no others.
site: setup
	$(BIN)/python -m $(TOOLS).build_book --fresh --verified

test-site: setup ## Test the built book in a browser
	$(BIN)/python -m pytest -q -n 2 --dist loadgroup $(BOUNDED) tests/site

notebooks: coreai ## Run the notebooks and store their outputs (NB=notebooks/01_....ipynb for one)
	$(BIN)/python -m $(TOOLS).execute $(NB)

widgets: setup ## Bring the JavaScript of stored widgets up to date, without running anything
	$(BIN)/python -m $(TOOLS).stored_widgets

chapter: setup ## Begin a chapter from a template (NAME=18_pipelines): a notebook that runs, its entries, its test
	$(BIN)/python -m $(TOOLS).new_chapter '$(NAME)'

slides: setup ## Make the slides of the built book anew, from book/slides.toml and the notebooks
	$(BIN)/python -m $(TOOLS).slides

workshop: setup ## Make the learner's copies of the notebooks, without solutions
	$(BIN)/python -m $(TOOLS).workshop

kit: setup ## Make one zip with all that a class without a network needs (WHEELS=0: without packages)
	$(BIN)/python -m $(TOOLS).build_book
	$(BIN)/python -m $(TOOLS).kit $(if $(filter 0,$(WHEELS)),--no-wheels)

page-weights: setup ## Print what each page of the built book weighs, and the data of each widget
	$(BIN)/python -m $(TOOLS).page_weights

screenshots: setup ## Photograph every page of the built book, wide and narrow, light and dark
	$(BIN)/python -m $(TOOLS).screenshots

bench: setup ## Run the benchmarks and print their ratios
	$(BIN)/python -m pytest -q tests/benchmarks --benchmark-only

# Cells of these files are measured again by the tests; all of them take half an hour of one core, and a stopped run resumes.
data: setup ## Measure again what chapter 6 reads from notebooks/data
	$(BIN)/python -m $(TOOLS).data_crepe

data-training: setup ## Measure again what chapters 7 and 8 read: delete the files first
	$(BIN)/python -m $(TOOLS).data_calibration
	$(BIN)/python -m $(TOOLS).data_training

data-post-training: setup ## Measure again what chapter 10 reads: delete the file first
	$(BIN)/python -m $(TOOLS).data_post_training

# An hour of one core; a stopped run resumes.
data-networks: setup ## Measure again what the chapters on a transformer and on a reader of images read
	$(BIN)/python -m $(TOOLS).data_networks

data-exploring: setup ## Measure again what the last chapter reads: delete the file first
	$(BIN)/python -m $(TOOLS).data_exploring

# ResNet-50 on both stacks, and coreai-opt's packages for Core ML in an environment of their own.
data-core-ai: coreai ## Measure again what the chapter on Core AI reads
	$(BIN)/python -m $(TOOLS).data_core_ai

networks: setup ## Bring the trained networks that some chapters ask, where 'make setup' could not
	$(BIN)/python -m $(TOOLS).trained_networks

constraints: setup ## Pin the newest versions that pyproject.toml allows in constraints.txt
	$(BIN)/python -m $(TOOLS).pin_versions --python $(PYTHON)

# Takes Python 3.10 and 3.11 and some minutes: each version of coremltools is installed, used once and removed.
zoo-fixtures: setup ## Write the packages of tests/zoo again, with the versions of coremltools that they stand for (VERSIONS=...)
	$(BIN)/python -m $(TOOLS).zoo_fixtures $(VERSIONS)

clean: ## Remove what was built; keep .venv, and what you wrote in _build/workshop
	@$(PYTHON) -B -m $(TOOLS).clean
