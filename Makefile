# The entry for people. CMake does the work: see CMakePresets.json for the same by hand.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

JOBS ?= $(shell nproc)
LISTEN ?= 127.0.0.1:8080
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 3600
CTEST_ARGS ?=
TOPICS ?=

RELEASE := build/release
PROGRAMS := pilotlight pilotlight-gateway pilotlight-operator pilotlight-shim pilotlight-native-host
EXAMPLES := $(patsubst examples/%/Makefile,%,$(wildcard examples/*/Makefile))
SOURCES = $(shell find lib operator gateway runtime-shim cli tools tests examples -name '*.h' -o -name '*.hpp' -o -name '*.cc')

.PHONY: help run test lint format format-check asan tsan bench fuzz soak crds examples deps deps-run deps-test deps-bench deps-cluster deps-images \
  cluster-test cluster-test-smoke cluster-faults cluster-bench cluster-build cluster-up cluster-down cluster-smoke cluster-api-test \
  cluster-chart-test cluster-cli-test cluster-parked-test cluster-programs-test programs image clean

help:  ## list every entry
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-18s %s\n", $$1, $$2}' Makefile

run: deps-run programs examples  ## install what is missing, build a release, serve examples/ on LISTEN (127.0.0.1:8080); Ctrl-C ends it
	@exec $(RELEASE)/bin/pilotlight local -f examples/ --listen $(LISTEN)

test: deps-test  ## build everything (release), run all tests
	cmake --preset release -DPILOTLIGHT_TESTS=ON
	cmake --build $(RELEASE) -j $(JOBS)
	@$(MAKE) --no-print-directory examples
	ctest --preset release -j $(JOBS) $(CTEST_ARGS)

lint: deps-test format-check  ## clang-format and clang-tidy over our files
	cmake --preset release -DPILOTLIGHT_TESTS=ON
	cmake --build $(RELEASE) -j $(JOBS)
	tools/tidy.sh $(RELEASE) $(JOBS)

format-check:  ## clang-format only, changes nothing
	@clang-format-19 --dry-run --Werror $(SOURCES)

format:  ## rewrite our files with clang-format
	clang-format-19 -i $(SOURCES)

asan: deps-test  ## all tests under the address and undefined-behaviour sanitizers
	cmake --preset debug
	cmake --build build/debug -j $(JOBS)
	@$(MAKE) --no-print-directory examples
	ctest --preset debug -j $(JOBS) $(CTEST_ARGS)

tsan: deps-test  ## all tests under the thread sanitizer
	cmake --preset tsan
	cmake --build build/tsan -j $(JOBS)
	@$(MAKE) --no-print-directory examples
	ctest --preset tsan -j $(JOBS) $(CTEST_ARGS)

bench: deps-bench programs examples  ## measure cold starts, memory, gateway and shim beside nginx and haproxy; results in build/bench/
	cmake --build $(RELEASE) -j $(JOBS) --target bench-tools
	python3 tests/bench/run.py --bin $(RELEASE)/bin
	python3 tests/bench/dataplane.py --bin $(RELEASE)/bin

fuzz: deps-test  ## every fuzz target for FUZZ_SECONDS (60)
	cmake --preset fuzz
	cmake --build build/fuzz -j $(JOBS) --target tests/fuzz/all
	tools/fuzz.sh build/fuzz/bin $(FUZZ_SECONDS)

soak: deps-test  ## mixed load with dying replicas for SOAK_SECONDS (3600), under the address sanitizer
	cmake --preset debug
	cmake --build build/debug -j $(JOBS) --target $(PROGRAMS) pilotlight_test_recorder
	python3 tests/soak/soak.py --bin build/debug/bin --recorder build/debug/tests/support/librecorder.so --seconds $(SOAK_SECONDS)

cluster-build: deps-cluster  ## build the Kubernetes of tests/cluster, if it is not cached (8 minutes)
	tests/cluster/build.sh

cluster-up: cluster-build deps-images programs  ## start a Kubernetes on this machine (as root), with Pilotlight in it; prints how to reach it
	tests/cluster/up.sh
	tests/cluster/install.sh -b $(RELEASE)/bin

cluster-down:  ## end it, with all that was in it
	tests/cluster/down.sh

cluster-test: cluster-build deps-images programs  ## everything end to end on a Kubernetes started for it (as root; 12 minutes), or only TOPICS
	tests/cluster/e2e.sh -b $(RELEASE)/bin $(TOPICS)

cluster-test-smoke: cluster-build deps-images programs  ## the part of it for every change (5 minutes)
	tests/cluster/e2e.sh -b $(RELEASE)/bin --smoke

cluster-faults: cluster-build deps-images programs  ## parts killed, gone and told a wrong time, under load (as root; 20 minutes), or only TOPICS
	tests/cluster/e2e.sh -b $(RELEASE)/bin $(if $(TOPICS),$(TOPICS),--faults)

cluster-bench: cluster-build deps-images programs  ## cold starts, bursts and idleness beside plain Deployments (as root; 30 minutes); results in build/bench/
	tests/cluster/bench.sh -b $(RELEASE)/bin

cluster-api-test: deps-test deps-cluster  ## the Kubernetes client against a real API server, started for it (built when absent: about 7 minutes)
	cmake --preset release -DPILOTLIGHT_TESTS=ON
	cmake --build $(RELEASE) -j $(JOBS) --target kube_api_test
	@tests/cluster/api_test.sh $(RELEASE)/bin/kube_api_test

cluster-smoke: cluster-build  ## check the Kubernetes of tests/cluster itself, and the API server that tests start for themselves
	tests/cluster/api-smoke.sh
	tests/cluster/up.sh
	tests/cluster/smoke.sh

cluster-chart-test: cluster-build programs  ## check the Helm chart against a real API server, started for it
	cmake --build $(RELEASE) -j $(JOBS) --target network_flows
	tests/cluster/chart_test.sh -b $(RELEASE)/bin

cluster-cli-test: cluster-build programs  ## the command line against a real API server; tests/cluster/cli_test.sh STATE also in a whole cluster
	tests/cluster/cli_test.sh -b $(RELEASE)/bin

cluster-parked-test: cluster-build programs  ## parked replicas on a node of their own: resized, lit, measured (root)
	tests/cluster/parked_test.sh -b $(RELEASE)/bin

cluster-programs-test: deps-cluster programs  ## operator and gateway against a real API server, without a node
	tests/cluster/programs_test.sh -b $(RELEASE)/bin

crds: deps-run  ## regenerate crds/, docs/reference.md and docs/settings.md
	@test -f $(RELEASE)/build.ninja || cmake --preset release -DPILOTLIGHT_TESTS=OFF
	cmake --build $(RELEASE) -j $(JOBS) --target crdgen
	$(RELEASE)/bin/crdgen .
	cp crds/*.yaml charts/pilotlight/files/crds/

examples:  ## build the examples that need it
	@for example in $(EXAMPLES); do $(MAKE) --no-print-directory -C examples/$$example; done

deps: deps-run deps-test deps-bench deps-cluster deps-images  ## install all packages of all entries (apt; sudo when not root)

deps-run:
	@tools/deps.sh run

deps-test:
	@tools/deps.sh run test

deps-bench:
	@tools/deps.sh run bench

deps-cluster:
	@tools/deps.sh cluster

deps-images:
	@tools/deps.sh images

# A tree that already has its tests configured keeps them: only the programs are built here.
programs: deps-run
	@test -f $(RELEASE)/build.ninja || cmake --preset release -DPILOTLIGHT_TESTS=OFF
	cmake --build $(RELEASE) -j $(JOBS) --target $(PROGRAMS)

image:  ## build the images of operator, gateway, command line, shim, and bases for functions (docker or buildah)
	@command -v docker >/dev/null || tools/deps.sh images
	tools/image.sh

clean:  ## remove what was built
	rm -rf build
	@for example in $(EXAMPLES); do $(MAKE) --no-print-directory -C examples/$$example clean; done
