//! Keeps a broken backend from flooding the log: one line a minute for each kind of complaint.

use std::time::Duration;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);

/// One kind of complaint of one backend.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    last: Option<Instant>,
    hushed: u64,
}

impl Complaint {
    /// How many lines were kept back since the last, when it is time for one.
    pub(super) fn due(&mut self) -> Option<u64> {
        let now = Instant::now();
        if self.last.is_some_and(|last| now - last < EVERY) {
            self.hushed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.hushed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_minute_tells_of_the_rest() {
        let mut complaint = Complaint::default();
        assert_eq!([complaint.due(), complaint.due(), complaint.due()], [Some(0), None, None]);
        tokio::time::sleep(EVERY).await;
        assert_eq!([complaint.due(), complaint.due()], [Some(2), None]);
    }
}
