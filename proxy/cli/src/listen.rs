//! Listening for HTTP.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use landbridge::config::AdminAddress;
use landbridge_admin::Listener;
use rustix::fs::Mode;
use rustix::process::umask;
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Listens; where every address is meant and there is no IPv6, on every IPv4 address.
pub(crate) async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error)
            if address.is_ipv6()
                && address.ip().is_unspecified()
                && !matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) =>
        {
            TcpListener::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()))).await
        }
        listening => listening,
    }
}

/// Where administration is listened for. Dropping it removes the unix socket's file.
pub(crate) enum AdminPlace {
    Tcp(SocketAddr),
    Unix(SocketFile),
}

impl fmt::Display for AdminPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(file) => write!(f, "unix:{}", file.path.display()),
        }
    }
}

/// Listens for administration, or for what else is served on such an address.
///
/// # Errors
/// The address can't be listened on, or something else is in the socket's place.
pub(crate) async fn listen_for(what: &str, address: &AdminAddress) -> anyhow::Result<(Listener, AdminPlace)> {
    match address {
        AdminAddress::Tcp(address) => {
            let failed = || format!("cannot listen on {address} for {what}");
            let listener = listen(*address).await.with_context(failed)?;
            let address = listener.local_addr().with_context(failed)?;
            Ok((Listener::Tcp(listener), AdminPlace::Tcp(address)))
        }
        AdminAddress::Unix(path) => {
            let failed = || format!("cannot listen on unix:{} for {what}", path.display());
            make_room(path).await.with_context(failed)?;
            let (listener, file) = bind_for_owner(path).with_context(failed)?;
            Ok((Listener::Unix(listener), AdminPlace::Unix(file)))
        }
    }
}

/// Removes the socket that a process left behind which did not come to its end.
async fn make_room(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => {
            let what = "something is there that is no socket; remove it, or change the address";
            return Err(io::Error::new(ErrorKind::AlreadyExists, what));
        }
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        _ => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
    }
}

/// Listens, with a file that is nobody's but the owner's from its first moment on.
fn bind_for_owner(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let before = umask(Mode::RWXG | Mode::RWXO | Mode::XUSR);
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound?;
    Ok((listener, SocketFile { path: path.to_owned(), inode: inode(path)? }))
}

/// The file of a unix socket. It is removed when this is dropped, unless another one is in its place by then.
pub(crate) struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if inode(&self.path).is_ok_and(|inode| inode == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the socket");
        }
    }
}

fn inode(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|found| (found.dev(), found.ino()))
}
