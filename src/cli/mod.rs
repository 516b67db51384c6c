//! The command line: one file a command. Commands read the configuration, do their work through the
//! parts below, and end with an exit code; nothing below knows that there is a command line.

mod check;
mod config;
mod exit;
mod manual;
mod run;
mod send;
mod wait;

use crate::config::{Loaded, load_file};
use clap::{CommandFactory, Parser, Subcommand};
use exit::Failure;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

/// A small observability agent that rides beside an application: StatsD in, aggregated metrics out.
///
/// Without a command it runs the agent.
#[derive(Parser, Debug)]
#[command(name = "pillion", version, max_term_width = 100, after_help = exit::CODES)]
struct Arguments {
    /// The configuration file [env: PILLION_CONFIG]; without one, defaults and the environment.
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the agent (the same as no command).
    Run,
    /// Validate the configuration without starting anything, and print what is in effect.
    Check,
    /// Send a test metric, event or service check.
    Send(send::Send),
    /// Block until a running agent is ready, as a container's start hook or health check.
    Wait(wait::Wait),
    /// Print the documentation of the options.
    Config(config::Print),
    /// Print completions for a shell.
    Completions {
        /// The shell to complete for.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// The program: reads arguments and environment, runs one command, says why it failed.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .collect();
    match arguments.perform(&environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Arguments {
    fn perform(self, environment: &BTreeMap<String, String>) -> Result<(), Failure> {
        let load = || load(self.config.clone(), environment);
        match self.command {
            None | Some(Command::Run) => run::run(load()?.config),
            Some(Command::Check) => check::check(&load()?),
            Some(Command::Send(send)) => send.perform(load),
            Some(Command::Wait(wait)) => wait.perform(load),
            Some(Command::Config(print)) => print.perform(),
            Some(Command::Completions { shell }) => manual::completions(shell, Arguments::command()),
            Some(Command::Man) => manual::page(Arguments::command()),
        }
    }
}

/// The configuration that the arguments and the environment name.
fn load(file: Option<PathBuf>, environment: &BTreeMap<String, String>) -> Result<Loaded, Failure> {
    let named = environment.get("PILLION_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from);
    let loaded = load_file(file.or(named).as_deref(), environment).map_err(Failure::Configuration)?;
    exit::tell(&loaded.notices);
    check::rules(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
