//! `pillion run`: from a configuration to a running agent.

use super::exit::Failure;
use crate::agent::{self, End};
use crate::config::Config;

/// Returns when the agent has ended.
pub(super) fn run(config: Config) -> Result<(), Failure> {
    match agent::run(config) {
        Ok(End::Drained) => Ok(()),
        Ok(End::Interrupted) => Err(Failure::Failed("interrupted: what was left is lost".to_owned())),
        Err(error) => Err(Failure::Failed(error.to_string())),
    }
}
