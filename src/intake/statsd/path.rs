//! Socket files: made with the wanted permissions, never taken from a living process, and removed at
//! the end only while they are still ours.
//!
//! A file at the path is replaced only when it is a socket that refuses connections (its process is
//! gone). A file that is no socket is never touched.

use super::error::BindError;
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A socket file that this process made; dropping it removes the file.
#[derive(Debug)]
pub(in crate::intake) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Binds a Unix socket at `path`; `address` is how messages name it.
pub(in crate::intake) fn bind(
    address: &str,
    path: &Path,
    kind: Type,
    mode: u32,
) -> Result<(Socket, SocketFile), BindError> {
    let other = |source| BindError::from_kernel(address.to_owned(), source, || None);
    let name = SockAddr::unix(path).map_err(|_| BindError::PathTooLong { address: address.to_owned() })?;
    make_way(address, path, &name)?;
    let socket = Socket::new(Domain::UNIX, kind, None).map_err(other)?;
    // The file inherits the socket's own permissions, less the umask: it is never open to more than
    // `mode` says, not even between these two calls. What the umask took is given back afterwards.
    let file = File::from(OwnedFd::from(socket));
    file.set_permissions(Permissions::from_mode(mode)).map_err(other)?;
    let socket = Socket::from(OwnedFd::from(file));
    socket.bind(&name).map_err(other)?;
    let made = fs::symlink_metadata(path).map_err(other)?;
    let file = SocketFile { path: path.to_owned(), device: made.dev(), inode: made.ino() };
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(other)?;
    Ok((socket, file))
}

/// Removes a stale socket; an error when something else is there, or nothing can be.
fn make_way(address: &str, path: &Path, name: &SockAddr) -> Result<(), BindError> {
    let address = || address.to_owned();
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
                Some(folder) => Err(BindError::NoFolder { address: address(), folder: folder.to_owned() }),
                None => Ok(()),
            };
        }
        Err(error) => return Err(BindError::from_kernel(address(), error, || None)),
    };
    if !found.file_type().is_socket() {
        return Err(BindError::NotASocket { address: address() });
    }
    let other = |error| BindError::from_kernel(address(), error, || None);
    if lives(name).map_err(other)? {
        return Err(BindError::Live { address: address() });
    }
    fs::remove_file(path).map_err(other)
}

/// Whether a process has the socket file `name` bound; connects and never blocks.
fn lives(name: &SockAddr) -> io::Result<bool> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    match socket.connect(name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // Most of all EPROTOTYPE: it is bound, as another type of socket.
        Err(_) => Ok(true),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let still_ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == self.device && found.ino() == self.inode);
        if still_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("the socket file {} could not be removed: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixDatagram, UnixListener};

    fn at(path: &Path) -> Result<(Socket, SocketFile), BindError> {
        bind(&format!("unixgram://{}", path.display()), path, Type::DGRAM, 0o722)
    }

    #[test]
    fn the_file_has_the_mode_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.sock");
        for mode in [0o722, 0o700, 0o777, 0o660] {
            let (socket, file) = bind("unixgram://d", &path, Type::DGRAM, mode).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, mode);
            drop((socket, file));
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_stale_socket_of_either_type_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.sock");
        drop(UnixDatagram::bind(&path).unwrap());
        drop(at(&path).unwrap());
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let (_socket, _file) = at(&path).unwrap();
        UnixDatagram::unbound().unwrap().connect(&path).unwrap();
    }

    #[test]
    fn a_live_socket_of_either_type_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.sock");
        let datagram = UnixDatagram::bind(&path).unwrap();
        assert!(matches!(at(&path), Err(BindError::Live { .. })));
        UnixDatagram::unbound().unwrap().connect(&path).unwrap();
        drop(datagram);
        fs::remove_file(&path).unwrap();
        let _stream = UnixListener::bind(&path).unwrap();
        assert!(matches!(at(&path), Err(BindError::Live { .. })));
    }

    #[test]
    fn what_is_no_socket_and_what_has_no_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(at(&path), Err(BindError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let missing = at(&folder.path().join("no/d.sock"));
        assert!(matches!(missing, Err(BindError::NoFolder { folder, .. }) if folder.ends_with("no")));
        let long = at(&folder.path().join("x".repeat(120)));
        assert!(matches!(long, Err(BindError::PathTooLong { .. })));
    }

    #[test]
    fn a_file_that_another_process_put_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.sock");
        let (_socket, file) = at(&path).unwrap();
        // Keeps the old inode in use, so that the new file cannot get the same number.
        fs::rename(&path, folder.path().join("old")).unwrap();
        let _other = UnixDatagram::bind(&path).unwrap();
        drop(file);
        assert!(path.exists());
    }
}
