# Everything runs from a virtual environment in this folder, installed from the locked and hashed versions.
# No target holds an absolute path, since make can't have a space in one.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

PYTHON ?= python3
BIN := .venv/bin
RUN := $(BIN)/python -m
# What a suite's time goes to is told after it.
TOLD := --durations 15 --durations-min 5
# A stream that a process of a lab's or a cloud's test leaves open is told, and fails nothing; in the unit tests it does.
UNCLOSED := -W default::ResourceWarning -W default::pytest.PytestUnraisableExceptionWarning

# Of the lab: `make lab RELEASE=bullseye`, `make demo FLOOR=rhel-8.2`. Variables of these names that happen to be in the
# environment mean something else.
ifeq ($(origin RELEASE),command line)
export LAB_RELEASE := $(RELEASE)
endif
ifeq ($(origin FLOOR),command line)
export LAB_FLOOR := $(FLOOR)
endif

export DO_NOT_TRACK := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' Makefile

.PHONY: demo
demo: .venv/.ready ## Destroy a Galera cluster in a lab on this machine, and watch restore-galera bring it back (RELEASE=, FLOOR=)
	$(RUN) tests.demo

.PHONY: test
test: check test-server test-database test-lab test-openstack ## Run every test: check, test-server, test-database, test-lab and test-openstack

.PHONY: check
check: .venv/.ready ## Lint, type check, check the imports' direction, run the unit tests
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(BIN)/lint-imports
	$(RUN) pytest $(TOLD) --numprocesses auto tests/unit

.PHONY: test-server
test-server: .venv/.ready ## Test against a real Prefect server and worker, on loopback
	$(RUN) pytest $(TOLD) tests/server

.PHONY: test-database
test-database: .venv/.ready ## Test dumps, and what proves them, on MariaDB servers of this machine (as root)
	$(RUN) pytest $(TOLD) -m database tests/database

.PHONY: test-both
test-both: .venv/.ready ## Run test-lab and test-openstack at the same time (as root)
	$(RUN) tests.side_by_side test-lab test-openstack

.PHONY: test-lab
test-lab: .venv/.ready ## Test on the lab's hosts (as root)
	$(RUN) tests.lab down  # the tests want the lab as it is made, not as somebody has left it
	$(RUN) pytest $(UNCLOSED) $(TOLD) -m "lab and not exhaustive" tests/lab tests/restore_galera tests/restore_undercloud_database tests/backups tests/telemetry tests/rear
	$(RUN) pytest $(UNCLOSED) -m lab_teardown tests/lab

.PHONY: test-openstack
test-openstack: .venv/.ready ## Test the autoscaling runbooks on an OpenStack on this machine (as root)
	$(RUN) tests.openstack down  # for the same reason
	$(RUN) pytest $(UNCLOSED) $(TOLD) -m openstack tests/openstack tests/autoscaling
	$(RUN) pytest $(UNCLOSED) -m openstack_teardown tests/openstack

.PHONY: test-interrupted
test-interrupted: .venv/.ready ## Kill restore-galera after each of its steps, and run it again
	$(RUN) tests.interrupted

.PHONY: test-exhaustive
test-exhaustive: .venv/.ready ## Test on the lab what is left out of test-lab; long
	$(RUN) tests.lab down
	$(RUN) pytest $(UNCLOSED) $(TOLD) -m "lab and exhaustive" tests/restore_galera tests/restore_undercloud_database tests/backups tests/telemetry tests/rear

.PHONY: test-bare-metal
test-bare-metal: .venv/.ready ## Test restore-node on an emulated machine with a BMC; 40 minutes (as root)
	$(RUN) tests.lab down
	$(RUN) pytest $(UNCLOSED) $(TOLD) -m bare_metal tests/bare_metal

.PHONY: test-releases
test-releases: .venv/.ready ## Test restore-galera on hosts of every release of the lab, one after the other (as root)
	$(RUN) tests.releases

.PHONY: test-leftovers
test-leftovers: .venv/.ready ## Interrupt each suite and program midway, and see that nothing is left (as root)
	$(RUN) tests.leftovers

.PHONY: lab
lab: .venv/.ready ## Start the lab: three controllers, an undercloud and a backup node (as root; RELEASE=, FLOOR=)
	$(RUN) tests.lab up

.PHONY: lab-down
lab-down: .venv/.ready ## Stop the lab, and leave nothing of it behind
	$(RUN) tests.lab down

.PHONY: bench
bench: .venv/.ready ## Time restore-galera against the same commands typed by hand
	$(RUN) tests.benchmarks

.PHONY: lock
lock: .venv/.ready ## Resolve the versions anew, into requirements.lock
	$(RUN) piptools compile --all-extras --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
		--no-emit-find-links --output-file requirements.lock pyproject.toml

.PHONY: clean
clean: ## Remove what was made here, the virtual environment too
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# The stamp comes last, so that an environment that was interrupted half way counts as absent and is made anew.
.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory python3-venv
	@$(PYTHON) -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, with its venv module, and $(PYTHON) is not that." \
			"Install one and name it: make PYTHON=python3.12" >&2; exit 1; }
	rm -rf .venv
	$(PYTHON) -m venv .venv
	# The lock names every package, so pip has nothing to resolve; its resolver trips over extras that have hashes.
	$(RUN) pip install --quiet --no-deps --require-hashes -r requirements.lock
	$(RUN) pip install -qq --no-deps --no-index --no-build-isolation --editable .
	touch .venv/.ready

.PHONY: python3-venv
python3-venv:
	@[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { \
		echo "$(PYTHON) has no venv module. Debian, Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-venv
