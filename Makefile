# Every target sets itself up; the first one on a machine creates .venv and installs.
PYTHON ?= python3
SYSTEM ?= pdnet
BIN := .venv/bin
CODE := lesions trainables search_spaces platform dashboards

# The project runs from its root and is not installed itself: only what it needs is.
define LIST_REQUIREMENTS
import tomllib; \
project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
print("\n".join(project["dependencies"] + project["optional-dependencies"]["dev"]))
endef

.PHONY: setup sweep test test-ray test-types test-lesions test-rest test-all bench sample

setup: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c '$(LIST_REQUIREMENTS)' > .venv/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --requirement .venv/requirements.txt
	touch $@

sweep: setup
	$(BIN)/python -m platform.sweep $(SYSTEM)

test: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	shared=$$(mktemp -d) && trap 'rm -rf "$$shared"' EXIT INT TERM && export TESTS_SHARED="$$shared" && \
		$(MAKE) --jobs=4 --output-sync=target test-ray test-types test-lesions test-rest

# Side by side: those that start processes are the longest, and the others fill their waits.
test-ray: setup
	$(BIN)/python -m pytest tests/platform -m "ray and not slow"

test-types: setup
	$(BIN)/mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive $(CODE)

test-lesions: setup
	nice -n 19 $(BIN)/python -m pytest tests/lesions tests/dashboards -m "not ray and not slow"

test-rest: setup
	nice -n 19 $(BIN)/python -m pytest --ignore=tests/lesions --ignore=tests/dashboards -m "not ray and not slow"

test-all: setup
	$(BIN)/python -m pytest

bench: setup
	$(BIN)/python -m tests.bench

sample: setup
	$(BIN)/python -m lesions.sample.build --source ../shared/data
