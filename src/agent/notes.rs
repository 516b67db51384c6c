//! Events and service checks: gathered for a moment, then offered to every backend.
//!
//! Each note reaches the queues within a second; a backend that carries none counts them as not
//! supported.

use crate::deliver::{Item, Queue, Resource};
use crate::statsd::Note;
use crate::telemetry::{self, Metric};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Notes offered at once.
const TOGETHER: usize = 256;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_millis(500);

/// Runs until told to stop, and then until the channel is empty.
pub(super) async fn run(
    mut notes: mpsc::Receiver<Note>,
    queues: Vec<Queue>,
    resource: Resource,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let mut together = Vec::new();
        let stopped = tokio::select! {
            n = notes.recv_many(&mut together, TOGETHER) => n == 0,
            _ = stopping.wait_for(|stopping| *stopping) => true,
        };
        if stopped {
            break;
        }
        // Ends early when there are enough, or when the agent stops.
        let gather = async {
            while together.len() < TOGETHER && notes.recv_many(&mut together, TOGETHER).await > 0 {}
        };
        tokio::select! {
            _ = tokio::time::timeout(GATHER, gather) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        offer(together, &queues, &resource);
    }
    let mut rest = Vec::new();
    while let Ok(note) = notes.try_recv() {
        rest.push(note);
    }
    offer(rest, &queues, &resource);
}

fn offer(notes: Vec<Note>, queues: &[Queue], resource: &Resource) {
    if queues.is_empty() {
        telemetry::add(Metric::NotesUnsupported, &[], notes.len() as u64);
        return;
    }
    let notes: std::sync::Arc<[Note]> = notes.into();
    for queue in queues {
        queue.offer(Item::Notes { notes: notes.clone(), resource: resource.clone() });
    }
}
