//! The rules of the house, read from the sources themselves: who may know whom, what every module
//! opens with, what must not be left behind, and that documents name only what exists.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "house/directions.rs"]
mod directions;
#[path = "house/documents.rs"]
mod documents;
#[path = "house/leftovers.rs"]
mod leftovers;
#[path = "house/length.rs"]
mod length;
#[path = "house/main_path.rs"]
mod main_path;
#[path = "house/modules.rs"]
mod modules;
#[path = "house/tree.rs"]
mod tree;
