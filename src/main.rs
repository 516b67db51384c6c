//! Arguments become a command; nothing else happens here.

use std::process::ExitCode;

/// Chosen by measurement: `docs/performance.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    pillion::cli::main()
}
