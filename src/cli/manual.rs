//! `pillion completions` and `pillion man`: made from the same declarations as the arguments.

use super::exit::{Failure, print};
use clap_complete::Shell;

pub(super) fn completions(shell: Shell, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "pillion", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// The page of the program, and behind it one for each command.
pub(super) fn page(mut command: clap::Command) -> Result<(), Failure> {
    command.build();
    let mut page = Vec::new();
    let commands: Vec<clap::Command> = command.get_subcommands().cloned().collect();
    for command in std::iter::once(command).chain(commands.into_iter().filter(|c| c.get_name() != "help")) {
        let rendered = clap_mangen::Man::new(command).render(&mut page);
        rendered.map_err(|error| Failure::Failed(format!("cannot write the manual: {error}")))?;
    }
    print(&String::from_utf8_lossy(&page))
}
