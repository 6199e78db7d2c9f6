# Needs nothing but make and a Python of 3.11 or newer; PYTHON=... names another one.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo $$python && break; done)
BIN := .venv/bin

.PHONY: test lint docs demo bench hooks clean

test: .venv/ready
	@$(BIN)/nox

lint docs: .venv/ready
	@$(BIN)/nox --session $@

demo: .venv/ready
	@$(BIN)/pip install --quiet --editable . --group demo
	@$(BIN)/python example/demo.py

bench: .venv/ready
	@$(BIN)/pip install --quiet --editable . --group test
	@$(BIN)/python -m bench

# The tools of the hooks are those of this environment: it has to be active where a commit is made.
hooks: .venv/ready
	@$(BIN)/pip install --quiet --editable . --group lint
	@$(BIN)/pre-commit install

clean:
	rm -rf .venv .nox docs/_build

# pip knows dependency groups from 25.1 on.
.venv/ready: pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/pip install --quiet --upgrade --group nox
	@touch $@
