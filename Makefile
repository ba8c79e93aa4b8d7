# What a developer types, and what CI runs. `make help` lists it.

PREFIX ?= /usr/local
CARGO_DENY_VERSION = 0.20.2

.DEFAULT_GOAL := help
# The steps of `check` share cargo's lock and two cores: one after the other, in the order written.
.NOTPARALLEL:
.PHONY: help build install demo test check fmt clippy doc deny test-failpoints tools

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## compile the release binary
	cargo build --locked --release

install: ## copy what `make build` made to $(DESTDIR)$(PREFIX)/bin
	install -D -m 0755 "$${CARGO_TARGET_DIR:-target}/release/basewatch" "$(DESTDIR)$(PREFIX)/bin/basewatch"

demo: ## watch basewatch at work against a real registry, in under a minute
	tests/demo.sh

test: tools ## install what the tests need, and run them all
	cargo test --locked --doc
	cargo test --locked --lib --bins --tests

check: fmt clippy doc deny test test-failpoints ## everything CI checks

fmt: ## is the code formatted?
	cargo fmt --check

clippy: ## does clippy have anything to say?
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --all-features -- -D warnings

doc: ## does the documentation build without a warning?
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps

# cargo-deny's own release profile optimises the whole program at once; these settings make the install a matter of
# two minutes on two cores, and its run still one of two seconds.
deny: ## are the dependencies' versions, licences and sources as deny.toml allows?
	cargo deny --version >/dev/null 2>&1 || env -u CARGO_TARGET_DIR CARGO_PROFILE_RELEASE_LTO=off \
		CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
		cargo install --locked cargo-deny --version $(CARGO_DENY_VERSION)
	cargo deny --locked check bans licenses sources

test-failpoints: tools ## run all tests again with the failure points compiled in
	cargo test --locked --features failpoints --lib --bins --tests

tools: ## fetch the programs the tests need
	tests/bin/fetch-tools.sh docker-registry skopeo htpasswd openssl
