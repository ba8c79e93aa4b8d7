# What a developer types, and what CI runs. `make help` lists it.

PREFIX ?= /usr/local
CARGO_DENY_VERSION = 0.20.2

.DEFAULT_GOAL := help
# The steps of `check` share cargo's lock and two cores: one after the other, in the order written.
.NOTPARALLEL:
.PHONY: help build install demo test check fmt clippy doc deny test-failpoints test-system tools bench

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## compile the release binary
	cargo build --locked --release

UNITS = basewatch.service basewatch-runner.socket basewatch-runner@.service

# The units name their program by its whole path. The configuration is left to whoever installs.
install: ## copy what `make build` made, the units and the documents below $(DESTDIR)$(PREFIX)
	install -D -m 0755 "$${CARGO_TARGET_DIR:-target}/release/basewatch" "$(DESTDIR)$(PREFIX)/bin/basewatch"
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system" "$(DESTDIR)$(PREFIX)/lib/sysusers.d"
	set -e; for unit in $(UNITS); do \
		sed 's,/usr/\(bin/basewatch\|share/doc\|lib/systemd\),$(PREFIX)/\1,' "systemd/$$unit" \
			| install -m 0644 /dev/stdin "$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit"; \
	done
	install -m 0644 systemd/basewatch.sysusers.conf "$(DESTDIR)$(PREFIX)/lib/sysusers.d/basewatch.conf"
	install -d "$(DESTDIR)$(PREFIX)/share/doc/basewatch/examples" "$(DESTDIR)$(PREFIX)/share/doc/basewatch/runner"
	install -m 0644 README.md docs/*.md config/basewatch.toml systemd/hardened.conf \
		"$(DESTDIR)$(PREFIX)/share/doc/basewatch"
	install -m 0644 config/examples/*.toml "$(DESTDIR)$(PREFIX)/share/doc/basewatch/examples"
	install -m 0644 systemd/runner/*.conf "$(DESTDIR)$(PREFIX)/share/doc/basewatch/runner"

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

# It fetches systemd-container and mmdebstrap itself: they are large, and nothing else needs them. Not part of `check`,
# as it wants root, and to boot a guest. BASEWATCH=PROGRAM is tested in place of what it would compile.
test-system: ## run the units under a real systemd, in a container; wants root and Debian, and CASES="kill secrets" picks some
	tests/system/run.sh $(CASES)

# A directory of its own: for its tests' sake cargo would compile another release binary over the one of `make build`.
bench: ## measure what polling costs; `make bench CHECK=--check` holds it to what it should be
	tests/bin/fetch-tools.sh valgrind
	cargo bench --locked --bench polling --target-dir "$${CARGO_TARGET_DIR:-target}/bench" -- $(CHECK)

tools: ## fetch the programs the tests need
	tests/bin/fetch-tools.sh docker-registry skopeo htpasswd openssl systemd-analyze buildah git busybox
