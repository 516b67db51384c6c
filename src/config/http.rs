//! `[http]`: the one HTTP server.

use super::format::{Address, Count, Switch};
use super::section::section;
use std::net::SocketAddr;

section! {
    /// The one HTTP server: `/metrics`, `/live`, `/ready`, `/status`.
    pub struct Http {
        /// Where it listens. Others than the own host reach it at `"0.0.0.0:9102"` or `"[::]:9102"`.
        listen "listen": SocketAddr as Address = SocketAddr::from(([127, 0, 0, 1], 9102));
        /// Answer `/status`, which names metrics and shows samples of refused messages, to peers other than
        /// loopback.
        status_for_all "status_for_all": bool as Switch = false;
        /// Open connections. One more takes the place of the longest idle, or gets a 503 when none is idle.
        max_connections "max_connections": usize as Count<1, 65_536> = 64;
    }
}
