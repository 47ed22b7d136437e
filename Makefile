# The two commands: `make demo` shows axoneme at work, `make test` tests all of it.
# Each prepares a fresh Debian 12 by itself; it needs root, git, make and python3.

SHELL  := /bin/bash
VENV   := .venv
CACHE  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/axoneme
UV     := $(CACHE)/uv/bin/uv
# The system's python: it starts three times faster in the virtual machines, and has bcc beside it.
PYTHON := /usr/bin/python3
PYTEST := $(VENV)/bin/python -m pytest

PACKAGES := ca-certificates clang clang-format curl gcc iperf3 iproute2 iputils-ping kmod libbpf-dev \
	libelf-dev linux-libc-dev make podman procps prometheus python3-bpfcc python3-dev \
	python3-venv qemu-system-x86 util-linux xz-utils zlib1g-dev zstd
EXAMPLES := $(patsubst %/pyproject.toml,./%,$(wildcard examples/*/pyproject.toml))
# Headers and trunks are full of tables, which are aligned by hand.
C_SOURCES = $(shell git ls-files 'plugins/*.bpf.c' 'core/csrc/*.c')
TYPED    := core/src sdk/src plugins/ipam/src plugins/tc/src tests/kernels
# What runs on every kernel: packets through loaded programs, and attaching. What asks Python alone,
# as which rows it writes and in what order it links, or tries hundreds of examples, takes too long
# there and proves nothing more; races need a second CPU.
HOST_ONLY := %_properties.py %_model.py %_settings.py %_order.py %_race.py %/test_durations.py \
	%/test_policy_maps.py plugins/ipam/%
ON_KERNELS := $(filter-out $(HOST_ONLY),$(wildcard tests/packets/test_*.py \
	tests/system/test_attach*.py plugins/*/tests/test_*.py)) examples
RESULTS  := build/results

.DEFAULT_GOAL := help

.PHONY: help
help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

# RUNLEVEL: packages that come with a service are for their programs, and start none.
.PHONY: apt
apt:
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || { apt-get update -qq && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
		$(PACKAGES) >/dev/null; }

$(UV): | apt
	$(PYTHON) -m venv $(CACHE)/uv
	$(CACHE)/uv/bin/pip install -q uv

# Examples are no members of the workspace: they are installed as a stranger's plugins are.
.PHONY: setup
setup: apt $(UV) ## install what the build needs, and build
	$(UV) sync -q --python $(PYTHON) --all-packages --inexact
	$(UV) pip install -q -p $(VENV) --no-build-isolation --no-deps --reinstall $(EXAMPLES)

.PHONY: demo
demo: setup ## show axoneme at work: two nodes, pods by CNI, a policy, agents killed under traffic
	$(VENV)/bin/python examples/demo.py

.PHONY: test
test: setup lint test-unit test-system test-packaging test-kernels ## all that fits in 90 minutes

.PHONY: test-unit
test-unit: setup ## without privileges: values, configuration, host, SDK
	$(PYTEST) tests/core sdk/tests

.PHONY: test-system
test-system: setup ## on this kernel: packets, nodes and pods, the agent
	@mkdir -p $(RESULTS)
	$(PYTEST) tests/packets tests/system plugins examples --junit-xml=$(RESULTS)/host.xml

.PHONY: test-packaging
test-packaging: setup ## wheels in fresh environments
	$(PYTEST) tests/packaging

.PHONY: test-kernels
test-kernels: setup ## on Debian's 6.1 and 6.12, in virtual machines
	@mkdir -p $(RESULTS)
	@test -f $(RESULTS)/host.xml || $(PYTEST) $(ON_KERNELS) --junit-xml=$(RESULTS)/host.xml
	$(VENV)/bin/python -m tests.kernels --timeout 2400 --host-results $(RESULTS)/host.xml -- $(ON_KERNELS)

.PHONY: bench
bench: setup ## the goals of the issues, measured: build/bench.json
	$(VENV)/bin/python -m tests.bench

.PHONY: lint
lint: setup ## style, types, layers, C format
	$(VENV)/bin/ruff check -q .
	$(VENV)/bin/ruff format -q --check .
	$(VENV)/bin/mypy $(TYPED)
	$(VENV)/bin/lint-imports --no-logo >/dev/null || $(VENV)/bin/lint-imports
	clang-format --dry-run -Werror $(C_SOURCES)

.PHONY: format
format: setup ## let ruff and clang-format write
	$(VENV)/bin/ruff check -q --fix .
	$(VENV)/bin/ruff format -q .
	clang-format -i $(C_SOURCES)

.PHONY: docs
docs: setup ## write the generated parts of docs/reference
	$(VENV)/bin/python docs/generate.py

.PHONY: clean
clean: $(UV) ## remove what was built, and build the objects again
	git clean -qxdf --exclude $(VENV)
	$(UV) sync -q --python $(PYTHON) --all-packages --inexact --reinstall-package axoneme \
		--reinstall-package axoneme-ipam --reinstall-package axoneme-sdk \
		--reinstall-package axoneme-tc
