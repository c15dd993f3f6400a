# make demo    a shop to trace, on http://127.0.0.1:8000/ (PORT=8001 for another port)
# make test    the tests (ARGS="-k panel" hands arguments to pytest)
# make bench   what tracing costs, into docs/performance.md (ARGS=--quick: roughly, and
#              written nowhere; ARGS=--help)
# make lint    ruff and mypy

PYTHON ?= python3
PORT ?= 8000
ARGS ?=

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet
MANAGE := PYTHONUNBUFFERED=1 $(RUN) demo/manage.py

.PHONY: demo test bench lint
.NOTPARALLEL:

# The shop starts afresh each time: nothing left behind by an older demo can break it.
demo: $(VENV)/demo
	@$(RUN) -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2>/dev/null || \
		{ echo "Port $(PORT) is taken or not allowed. Choose another: make demo PORT=8001"; exit 1; }
	@rm -f demo/db.sqlite3*
	@$(MANAGE) migrate --verbosity 0
	@$(MANAGE) seed
	@$(MANAGE) trace_checkout
	@DJANGO_RUNSERVER_HIDE_WARNING=true $(MANAGE) runserver --noreload $(PORT)

test: $(VENV)/dev
	@$(RUN) -m pytest --numprocesses=auto --dist=loadgroup $(ARGS)

bench: $(VENV)/bench
	@$(RUN) tests/benchmarks/run.py $(ARGS)

lint: $(VENV)/dev
	@$(RUN) -m ruff check
	@$(RUN) -m ruff format --check
	@$(RUN) -m mypy

$(VENV)/demo: $(VENV)/made-of pyproject.toml
	@echo "Installing the demo into $(VENV)"
	@$(PIP) install --editable '.[toolbar,cli]' --group demo
	@touch $@

$(VENV)/bench: $(VENV)/made-of pyproject.toml
	@echo "Installing the benchmarks into $(VENV)"
	@$(PIP) install --editable '.[otel]' --group bench
	@touch $@

$(VENV)/dev: $(VENV)/made-of pyproject.toml
	@echo "Installing the development tools into $(VENV)"
	@$(PIP) install --editable '.[toolbar,otel,cli]' --group dev
	@touch $@ $(VENV)/demo $(VENV)/bench

# The environment is made again when it doesn't run, was left half-made, came along
# with a copied tree (its links would lead to the old one), or $(PYTHON) is another.
made-of := $(CURDIR) $(shell $(PYTHON) -c 'import sys; print(sys.base_prefix, *sys.version_info)' 2>/dev/null)
ifneq ($(made-of),$(shell $(RUN) -m pip --version >/dev/null 2>&1 && cat $(VENV)/made-of))
.PHONY: $(VENV)/made-of
endif

$(VENV)/made-of:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed, and $(PYTHON) isn't. Choose another: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) lacks the venv module (on Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'  # the first that installs dependency groups
	@echo '$(made-of)' > $@
