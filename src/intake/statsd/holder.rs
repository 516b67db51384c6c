//! Who holds a port: read from `/proc` when a bind has failed, for its message only.
//!
//! A best effort: other users' processes show only to root, and whatever cannot be read is skipped.

use std::fs;
use std::net::SocketAddr;

/// The process that holds `address`, as `name (process 12)`; `tables` are files of `/proc/net`.
pub(super) fn of(address: SocketAddr, tables: [&str; 2]) -> Option<String> {
    let inode = tables.iter().find_map(|table| {
        let text = fs::read_to_string(format!("/proc/net/{table}")).ok()?;
        inode_at(&text, address.port()).map(str::to_owned)
    })?;
    let wanted = format!("socket:[{inode}]");
    for process in fs::read_dir("/proc").ok()?.flatten() {
        // Not `self` nor any other of its files.
        let Some(number) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(descriptors) = fs::read_dir(process.path().join("fd")) else { continue };
        let mut links = descriptors.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
        if links.any(|link| link.as_os_str() == wanted.as_str()) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {number})", name.trim()));
        }
    }
    None
}

/// The inode of a socket bound to `port` and connected to nobody, in a table of `/proc/net`.
fn inode_at(table: &str, port: u16) -> Option<&str> {
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let remote = fields.next()?;
        // What follows: state, queues, timer, retransmits, user, timeout, inode.
        let inode = fields.nth(6)?;
        (local.ends_with(&suffix) && remote.ends_with(":0000")).then_some(inode)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1104: 0100007F:1FBD 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 77 2 0000000000000000 0
 1105: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 41234 2 0000000000000000 0
";

    #[test]
    fn finds_the_inode_of_the_bound_socket() {
        assert_eq!(inode_at(TABLE, 8125), Some("41234"));
        assert_eq!(inode_at(TABLE, 8126), None);
    }

    #[test]
    fn names_this_very_process() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let holder = of(socket.local_addr().unwrap(), ["udp", "udp6"]).unwrap();
        assert!(holder.ends_with(&format!("(process {})", std::process::id())), "{holder}");
    }
}
