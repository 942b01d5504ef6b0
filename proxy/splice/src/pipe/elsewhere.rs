//! Where there is no splice(2): no pipe can be opened, so everything is copied.

use std::io;

use tokio::net::TcpStream;

/// Both ends of a pipe: never.
#[derive(Debug)]
pub(super) enum Ends {}

impl Ends {
    pub(super) fn open() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn fill(&self, _tcp: &TcpStream) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn drain(&self, _tcp: &TcpStream, _count: usize) -> io::Result<usize> {
        match *self {}
    }

    pub(super) fn read_exact(&self, _bytes: &mut [u8]) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn is_empty(&self) -> bool {
        match *self {}
    }
}

pub(super) fn is_refusal(_error: &io::Error) -> bool {
    false
}
