# SPDX-License-Identifier: AGPL-3.0-or-later
# A thin front: each target is one script of tools/ or one call of ninja.
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)
DATA ?= var
DOMAIN ?= localhost
export JOBS

.PHONY: build run test bench interop fuzz lint format clean help

build: ## build/anser with the web client inside
	@tools/setup build
	@tools/web build
	@tools/configure build
	@ninja -C build -j$(JOBS) anser

run: build ## build and start a server (DATA=var DOMAIN=localhost ARGS=...)
	@exec build/anser serve --data $(DATA) --domain $(DOMAIN) $(ARGS)

test: ## build with sanitizers and run every ring of tests
	@tools/setup test
	@tools/test

bench: build ## measure beside Prosody and ejabberd (ARGS=--quick: 4 minutes)
	@ninja -C build -j$(JOBS) bench/anser-load bench/anser-relay
	@bench/run $(ARGS)

interop: build ## other people's clients and Smack's conformance suite
	@tools/setup interop
	@ANSER=$(CURDIR)/build/anser tools/node tests/interop/run $(ARGS)

lint: ## clang-tidy over src/
	@tools/setup lint
	@tools/lint

fuzz: ## libFuzzer on each target for SECONDS=60; new inputs are kept in build-fuzz/
	@tools/setup lint
	@CC=clang tools/configure build-fuzz -Dfuzz=true -Db_sanitize=none
	@ninja -C build-fuzz -j$(JOBS)
	@tools/fuzz $(SECONDS)

format: ## clang-format over src/ and tests/
	@tools/setup lint
	@find src tests bench -name '*.[ch]' | xargs clang-format -i

clean:
	rm -rf build build-asan build-tsan build-fuzz web/dist

help:
	@sed -n 's/^\([a-z]*\):[^#]*## /\1	/p' $(firstword $(MAKEFILE_LIST))
