# make run | test | check | bench | clean        PORT=8001 make run        make test ARGS='tests/spine -k log'
# Paths are relative on purpose: make cannot cope with a space in them, and a checkout may stand in such a folder.

SHELL := /bin/sh
.DEFAULT_GOAL := run
.PHONY: run test check bench clean product tools
MAKEFLAGS += --no-print-directory

ARGS ?=
ifdef PORT
export PORT
endif

# The first Python that is new enough and can make a virtual environment; a name on PATH may be a shim that starts none.
FIND_PYTHON = for candidate in $(PYTHON) python3.13 python3.12 python3.11 python3; do \
		if $$candidate -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			found=$$candidate; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo 'retort: no Python 3.11 or newer with venv was found: install one (on Debian: apt-get install python3-venv) or name it, PYTHON=/path/to/python3' >&2; \
		exit 1; \
	fi

# Detectors are tested on Spark too where there is a Java that it can run on.
SPARK = $$(java -version >/dev/null 2>&1 && echo requirements-spark.txt)

run: product
	@exec .venv/bin/python -m config.run

test: tools
	@.venv/bin/python -m pytest -n 2 --dist loadfile $(ARGS)

check: tools
	@.venv/bin/python -m config.check

bench: tools
	@.venv/bin/python -m benchmarks.run $(ARGS)

# What can be made again. The data of an installation, .retort/, is never touched.
clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis benchmarks/results
	@find . -name __pycache__ -type d -not -path './.retort/*' -prune -exec rm -rf {} +

product:
	@$(FIND_PYTHON); exec $$found config/install.py requirements.txt

tools:
	@$(FIND_PYTHON); exec $$found config/install.py requirements.txt requirements-dev.txt $(SPARK)
