# Tasks by name; each is a plain command that works without just, too.

# What there is
default:
    @just --list --unsorted

# Build and run with no configuration, with a demonstration
run:
    ./run

# Everything that CI runs, or the parts named: just test unit clippy
test *parts:
    ./test {{parts}}

# Format all sources
fmt:
    cargo fmt
    cd benches/rig && cargo fmt
    cd fuzz && cargo fmt

# Dependencies: duplicates, rivals, licences, sources (cargo install cargo-deny)
deny:
    cargo deny check bans licenses sources

# Fuzz one target, or all, for this many seconds each (cargo install cargo-fuzz; needs nightly)
fuzz seconds="600" target="":
    #!/usr/bin/env bash
    set -euo pipefail
    targets="{{target}}"
    for name in ${targets:-$(cargo +nightly fuzz list)}; do
      # The first folder takes what is new; the committed corpus is only read.
      mkdir -p "fuzz/found/$name"
      cargo +nightly fuzz run "$name" "fuzz/found/$name" "fuzz/corpus/$name" -- -max_total_time={{seconds}}
    done

# The static binary of the image, into target/dist (apt-get install musl-tools)
dist machine=arch():
    rustup target add {{machine}}-unknown-linux-musl
    cargo build --release --locked --target {{machine}}-unknown-linux-musl
    mkdir -p target/dist
    cp target/{{machine}}-unknown-linux-musl/release/pillion target/dist/pillion-{{machine}}
    ls -l target/dist

# Parts of the hot path, measured
bench *filter:
    cargo bench -- {{filter}}

# The measuring tool, for docs/performance.md
rig:
    cd benches/rig && CARGO_TARGET_DIR=../../target/rig cargo build --release --locked
