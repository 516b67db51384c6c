//! `pillion config`: the documentation of the options, as the build has them.

use super::exit::{Failure, print};
use crate::config::{example, reference};
use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
pub(super) struct Print {
    /// What to print.
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// A file with every option at its default.
    Example,
    /// All options with their types, defaults and variables, as Markdown.
    Reference,
}

impl Print {
    pub(super) fn perform(&self) -> Result<(), Failure> {
        match self.what {
            What::Example => print(&example()),
            What::Reference => print(&reference()),
        }
    }
}
