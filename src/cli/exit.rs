//! How commands end: what is said on standard error, and with which code (those of sysexits where one
//! fits).

use crate::config::ConfigErrors;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

/// Shown below `--help`.
pub(super) const CODES: &str =
    "Exit codes: 0 done, 1 failed, 64 wrong configuration or arguments, 69 nobody there.";

const FAILED: u8 = 1;
const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// 64: the configuration is wrong.
    Configuration(ConfigErrors),
    /// 64: an argument is wrong; what, and what to write instead.
    Argument(String),
    /// 69: somebody who should answer does not.
    Unavailable(String),
    /// 1: everything else; one line that says what and what to do.
    Failed(String),
}

impl Failure {
    /// Says why on standard error. That it cannot be said is no reason to end otherwise.
    pub(super) fn report(&self) -> ExitCode {
        let mut stderr = std::io::stderr().lock();
        let (code, line) = match self {
            Failure::Configuration(errors) => {
                let colours = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none();
                let _ = stderr.write_all(errors.render(colours).as_bytes());
                let mistakes = if errors.count() == 1 { "mistake" } else { "mistakes" };
                (USAGE, &format!("{} {mistakes} in the configuration; nothing was started", errors.count()))
            }
            Failure::Argument(line) => (USAGE, line),
            Failure::Unavailable(line) => (UNAVAILABLE, line),
            Failure::Failed(line) => (FAILED, line),
        };
        let _ = writeln!(stderr, "pillion: {line}");
        ExitCode::from(code)
    }
}

/// Says on standard error what is no failure.
pub(super) fn tell(notices: &[String]) {
    let mut stderr = std::io::stderr().lock();
    for notice in notices {
        // That it cannot be said is no reason to end.
        let _ = writeln!(stderr, "pillion: {notice}");
    }
}

/// What clap has to say: help and version are no failures.
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    // Nothing can be done when nobody reads it.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

/// Writes to standard output; a reader that has left is no failure (`pillion check | head`).
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::Failed(format!("cannot write to the standard output: {error}")))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
