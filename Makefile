# make demo   train on CMUdict, evaluate, pronounce words, write a report: about eight minutes
# make test   install and run the tests
# Each target is complete by itself: it makes .venv and installs what it needs into it.

ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
endif
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# What builds the compiled module stays in .venv, so that it is pinned too and a rebuild is quick.
BUILD_TOOLS := scikit-build-core nanobind cmake ninja
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*)
TIDIED := $(patsubst %,build/tidy/%.ok,$(wildcard csrc/*.cpp tests/kernels/*.cpp benchmarks/*.cpp))
# Of the kernels, clang-tidy sees those of one instruction set.
TIDY_ISA := $(if $(filter x86_64,$(shell uname -m)),-DUNROLLED_ISA=avx2 '-DUNROLLED_SETS=SET(avx2)' \
  -mavx2 -mfma,-DUNROLLED_ISA=neon '-DUNROLLED_SETS=SET(neon)')
TIDY_HEADERS = $(shell $(BIN)/python -c 'import nanobind, sysconfig; \
  print("-isystem", sysconfig.get_path("include"), "-isystem", nanobind.include_dir())')
DEMO := runs/g2p
# None of these words is in the dictionary that the demo trains on; a test holds that.
UNSEEN := doomscroll zendaya brexit kubernetes metaverse quokka wakanda daenerys deepfake photobomb

.PHONY: help demo test lint tidy types docs format bench bench-peers clean

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.demo ## Train on CMUdict, evaluate, pronounce new words, write a report (8 minutes)
	$(BIN)/unrolled fit --task g2p --output $(DEMO) $(if $(wildcard $(DEMO)/checkpoints/*),--resume)
	$(BIN)/unrolled evaluate $(DEMO) data/g2p/test.tsv --save $(DEMO)/test.json
	$(BIN)/unrolled predict $(DEMO) $(UNSEEN)
	$(BIN)/unrolled explain $(DEMO) $(wordlist 1,4,$(UNSEEN)) \
	  --evaluation $(DEMO)/test.json --html $(DEMO)/report.html

test: $(VENV)/.dev ## Run all tests
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(VENV)/.dev ## Check style and format, and C++ for what clang-tidy finds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror csrc/* tests/kernels/*.cpp benchmarks/*.cpp
	@$(MAKE) --no-print-directory --jobs 2 --keep-going tidy

format: $(VENV)/.dev ## Mend style and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i csrc/* tests/kernels/*.cpp benchmarks/*.cpp

types: $(VENV)/.dev ## Check types
	$(BIN)/mypy

docs: $(VENV)/.dev ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/.bench ## Time kernels and layers beside PyTorch and onnxruntime (15 minutes)
	$(BIN)/python benchmarks/panel_product.py --output benchmarks/results/panel_product.json
	$(BIN)/python benchmarks/recurrent_layers.py --output benchmarks/results/recurrent_layers.json
	$(BIN)/python benchmarks/recurrent_claims.py --output benchmarks/results/recurrent_claims.json
	$(BIN)/python benchmarks/low_precision.py --output benchmarks/results/low_precision.json
	$(BIN)/python docs/assets/draw_kernels.py
	$(BIN)/python benchmarks/kernel_tables.py

bench-peers: $(VENV)/.peers ## Time the encoder-decoder beside yoyodyne (DATA=words.tsv)
	$(BIN)/python benchmarks/encoder_decoder_vs_yoyodyne.py --data $(DATA) \
	  --output benchmarks/results/encoder_decoder_vs_yoyodyne.json

clean: ## Remove everything that was built
	rm -rf $(VENV) build site .mypy_cache .pytest_cache .ruff_cache .hypothesis

# The stamp, and not the program, is the target: making an environment can be interrupted halfway.
$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer was not found;" \
	  "install it (apt-get install python3 python3-venv) or give PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "make: $(PYTHON) cannot make virtual" \
	  "environments; install the missing part: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.made $(SOURCES)
	$(PIP) $(BUILD_TOOLS)
	$(PIP) --no-build-isolation --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.made $(SOURCES)
	$(PIP) $(BUILD_TOOLS)
	$(PIP) --no-build-isolation --editable '.[dev]'
	@touch $@ $(VENV)/.demo

# All of it takes a minute, so what passed is left out until it changes.
tidy: $(TIDIED)
	@:

build/tidy/%.ok: % $(wildcard csrc/*.h) .clang-tidy constraints.txt | $(VENV)/.dev
	@echo "clang-tidy $<"
	@$(BIN)/clang-tidy --quiet $< -- -std=c++20 -Wall -Wextra -Icsrc $(TIDY_ISA) $(TIDY_HEADERS)
	@mkdir -p $(@D) && touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) onnx onnxruntime
	@touch $@

$(VENV)/.peers: $(VENV)/.dev
	$(PIP) --no-deps yoyodyne==0.5.27
	$(PIP) omegaconf wandb maxwell
	@touch $@
