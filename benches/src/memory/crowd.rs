//! Connections through a gateway, and the endpoint behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use landbridge_streams::{Mode, client_config, hello_config};
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::Behaviour;
use crate::gateways::{Place, SNI};

/// How many shake hands at once.
const AT_ONCE: usize = 32;
/// What waits in the kernel on our own side of a connection whose reader does not read.
const SMALL: u32 = 4096;

/// Connections that are open, all alike.
pub(super) struct Crowd {
    gateway: SocketAddr,
    caller: Arc<Caller>,
    members: Vec<Member>,
    behaviour: Behaviour,
}

type Member = Box<dyn Stream>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How a member calls.
enum Caller {
    /// With a certificate.
    Secured(Arc<ClientConfig>),
    /// With a hello that an endpoint gives back like anything else.
    Plain(Vec<u8>),
}

impl Crowd {
    /// Nobody yet; the endpoint listens. It gives back what it gets or, to the stalled, sends for ever.
    pub(super) async fn gather(place: &Place, behaviour: Behaviour) -> anyhow::Result<Self> {
        let caller = if place.mode == Mode::Terminate {
            let (chain, key) = (place.read("client.pem")?, place.read("client.key")?);
            let roots = place.read("ca.pem")?;
            Caller::Secured(client_config(Some((&chain, &key)), &roots).map_err(|error| anyhow!(error))?)
        } else {
            let config = hello_config().map_err(|error| anyhow!(error))?;
            let mut client = ClientConnection::new(config, ServerName::try_from(SNI)?)?;
            let mut hello = Vec::new();
            client.write_tls(&mut hello)?;
            Caller::Plain(hello)
        };
        let listener = TcpListener::bind(place.endpoint).await?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, behaviour));
            }
        });
        Ok(Self { gateway: place.gateway, caller: Arc::new(caller), members: Vec::new(), behaviour })
    }

    /// So many more come.
    pub(super) async fn come(&mut self, count: usize) -> anyhow::Result<()> {
        let mut coming = JoinSet::new();
        for index in 0..count {
            if index >= AT_ONCE {
                self.members.push(coming.join_next().await.context("nobody comes")???);
            }
            coming.spawn(call(self.gateway, self.caller.clone(), self.behaviour));
        }
        while let Some(member) = coming.join_next().await {
            self.members.push(member??);
        }
        Ok(())
    }

    /// Each sends so many bytes and gets them back; the stalled only wait.
    pub(super) async fn talk(&mut self, bytes: usize) -> anyhow::Result<()> {
        if self.behaviour == Behaviour::Stalled {
            return Ok(());
        }
        let said = vec![7; bytes];
        let mut heard = vec![0; bytes];
        for member in &mut self.members {
            let (mut from, mut to) = tokio::io::split(member);
            let (sent, got) = tokio::join!(
                async {
                    to.write_all(&said).await?;
                    to.flush().await
                },
                from.read_exact(&mut heard)
            );
            sent.and(got).context("an echo")?;
        }
        Ok(())
    }
}

async fn call(gateway: SocketAddr, caller: Arc<Caller>, behaviour: Behaviour) -> anyhow::Result<Member> {
    let socket = TcpSocket::new_v4()?;
    if behaviour == Behaviour::Stalled {
        socket.set_recv_buffer_size(SMALL)?;
    }
    let mut tcp = socket.connect(gateway).await.context("the gateway took no connection")?;
    tcp.set_nodelay(true)?;
    match &*caller {
        Caller::Secured(config) => {
            let connector = TlsConnector::from(config.clone());
            Ok(Box::new(connector.connect(ServerName::try_from(SNI)?, tcp).await.context("no handshake")?))
        }
        Caller::Plain(hello) => {
            tcp.write_all(hello).await?;
            if behaviour == Behaviour::Idle {
                tcp.read_exact(&mut vec![0; hello.len()]).await.context("no answer to the hello")?;
            }
            Ok(Box::new(tcp))
        }
    }
}

async fn serve(mut stream: TcpStream, behaviour: Behaviour) {
    let _ = stream.set_nodelay(true);
    if behaviour == Behaviour::Stalled {
        let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SMALL as usize);
        while stream.write_all(&[7; 16 * 1024]).await.is_ok() {}
        return;
    }
    let (mut from, mut to) = stream.split();
    let _ = tokio::io::copy(&mut from, &mut to).await;
}
