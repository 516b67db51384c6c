//! Connections of the HTTP servers: accepted as long as the agent runs, bounded in number, watched, and refused
//! politely when there are too many.
//!
//! `admin` and `intake` serve different things to different patience; what is the same for both stands here,
//! once. Nothing here reads what is said on a connection, but for the host at a Unix socket: see `authority`.
//! Next: `accept`, then `stream`.

mod accept;
mod authority;
mod refuse;
mod stream;

pub use accept::{Accepted, Host, Listener, Places, accept};
pub use stream::{Stream, Watched};

use tokio::sync::Notify;
use tokio::time::Instant;

/// What a connection is doing, as its server keeps it.
pub trait Activity: Default + Send + Sync + 'static {
    /// Since when nothing is under way; `None` while something is.
    fn idle_since(&self) -> Option<Instant>;

    /// Told when the connection should end after the answers under way.
    fn close(&self) -> &Notify;

    fn was_read(&self, bytes: &[u8]);

    fn was_written(&self);
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By the client, or after its last answer.
    Done,
    HeadTimeout,
    IdleTimeout,
    StalledClient,
    /// Closed while idle to make room for another.
    MadeRoom,
    /// Never served: too many connections, none of them idle.
    Refused,
}

impl End {
    /// The value of the label `reason`.
    pub fn as_str(self) -> &'static str {
        match self {
            End::Done => "done",
            End::HeadTimeout => "head_timeout",
            End::IdleTimeout => "idle_timeout",
            End::StalledClient => "stalled_client",
            End::MadeRoom => "made_room",
            End::Refused => "refused",
        }
    }
}
