# The two commands: `make demo` shows axoneme at work, `make test` tests all of it.
# Each prepares a fresh Debian 12 by itself; it needs root, git, make and python3.

VENV   := .venv
CACHE  := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/axoneme
UV     := $(CACHE)/uv/bin/uv
PYTEST := $(VENV)/bin/python -m pytest
# The system's python: it starts three times faster in the virtual machines, and has bcc beside it.
PYTHON := /usr/bin/python3

PACKAGES := ca-certificates clang gcc iperf3 iproute2 iputils-ping kmod libbpf-dev libelf-dev \
	linux-libc-dev make procps python3-bpfcc python3-dev python3-venv qemu-system-x86 util-linux \
	xz-utils zlib1g-dev zstd

.DEFAULT_GOAL := help

.PHONY: help
help: ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: apt
apt:
	@dpkg -s $(PACKAGES) >/dev/null 2>&1 || { apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(PACKAGES); }

$(UV):
	$(PYTHON) -m venv $(CACHE)/uv
	$(CACHE)/uv/bin/pip install -q uv

.PHONY: setup
setup: apt $(UV) ## install what the build needs, and build
	$(UV) sync -q --python $(PYTHON) --all-packages

.PHONY: test
test: setup lint test-unit test-system test-kernels ## all tests that fit in 90 minutes

.PHONY: test-unit
test-unit: setup ## tests without namespaces and traffic
	$(PYTEST) tests/core sdk/tests

.PHONY: test-system
test-system: setup ## packets, nodes and pods on this kernel
	$(PYTEST) tests/system plugins examples

.PHONY: test-kernels
test-kernels: setup ## the same on other kernels, in virtual machines
	$(VENV)/bin/python -m tests.kernels

.PHONY: lint
lint: setup ## style, types and layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

.PHONY: clean
clean: $(UV) ## remove what was built, and build the objects again
	git clean -qxdf --exclude $(VENV)
	$(UV) sync -q --python $(PYTHON) --all-packages --reinstall-package axoneme \
		--reinstall-package axoneme-tc
