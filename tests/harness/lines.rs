//! What a child writes to its standard output and error, gathered while it runs.
//!
//! Each stream has a reader thread, so that a child never blocks on a full pipe.

use parking_lot::Mutex;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::Arc;
use std::thread::JoinHandle;

/// The lines so far, in the order in which they came.
pub(crate) struct Lines {
    seen: Arc<Mutex<Vec<String>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
}

impl Lines {
    /// Takes over the child's piped streams.
    pub(crate) fn of(child: &mut Child) -> Self {
        let lines = Lines { seen: Arc::default(), readers: Mutex::default() };
        if let Some(stream) = child.stdout.take() {
            lines.follow(stream);
        }
        if let Some(stream) = child.stderr.take() {
            lines.follow(stream);
        }
        lines
    }

    fn follow(&self, stream: impl Read + Send + 'static) {
        let seen = Arc::clone(&self.seen);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { return };
                seen.lock().push(line);
            }
        });
        self.readers.lock().push(reader);
    }

    pub(crate) fn text(&self) -> String {
        self.seen.lock().join("\n")
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.seen.lock().clone()
    }

    /// Waits until the streams are closed, so that the last line is here.
    pub(crate) fn ended(&self) {
        for reader in self.readers.lock().drain(..) {
            assert!(reader.join().is_ok(), "a reader does not panic");
        }
    }
}
