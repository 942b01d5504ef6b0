//! The client's ends of connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, Connection};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Mode;
use crate::board::Board;
use crate::checker::Checker;
use crate::end::{End, Terms};
use crate::header::Header;
use crate::link::Link;
use crate::plan::Plans;
use crate::record::Record;
use crate::stream::{Label, Way};

/// Who calls through the gateway.
pub struct Caller {
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// The server name that leads to the endpoint.
    pub sni: ServerName<'static>,
    /// What the gateway does with TLS.
    pub mode: Mode,
    /// How the client speaks it.
    pub tls: Arc<ClientConfig>,
    /// The seed of everything.
    pub run: u64,
    /// How long a connection may stand still.
    pub patience: Duration,
    /// What both ends of a connection tell each other.
    pub board: Arc<Board>,
}

impl Caller {
    /// Calls, and runs the client's end of the connection.
    ///
    /// # Errors
    /// Where there is no connection, or the handshake fails.
    pub async fn call(&self, connection: u64, plans: Plans) -> io::Result<Record> {
        let label = Label { run: self.run, connection, way: Way::Forth };
        let mut early = Vec::new();
        let link = timeout(self.patience, self.link(&mut early))
            .await
            .unwrap_or_else(|_| Err(io::Error::other("no handshake in time")))?;
        let header = Header { label, plans };
        let mut checker = Checker::expecting(Header { label: label.opposite(), plans });
        checker.take(&early);
        let terms = Terms { board: &self.board, patience: self.patience };
        Ok(End::new(link, header, checker, terms).run().await)
    }

    async fn link(&self, early: &mut Vec<u8>) -> io::Result<Link> {
        let tcp = TcpStream::connect(self.gateway).await?;
        let mut tls = ClientConnection::new(self.tls.clone(), self.sni.clone()).map_err(io::Error::other)?;
        let mut link = if self.mode == Mode::Raw {
            let mut hello = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut hello)?;
            }
            Link::new(tcp, None, hello)?
        } else {
            Link::new(tcp, Some(Connection::from(tls)), Vec::new())?
        };
        link.handshake(early).await?;
        Ok(link)
    }
}
