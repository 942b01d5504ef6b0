//! A peer whose every byte and every end is in the test's hands, with TLS or without.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::cipher::{MessageEncrypter, OutboundChunks, OutboundPlainMessage};
use rustls::{
    ClientConnection, Connection, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion,
    ServerConfig, ServerConnection, SupportedCipherSuite,
};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::client::{Saw, Sidecar};
use crate::soon;

/// One end of a connection. Where there is TLS, nothing of it is sent but by the methods below.
pub struct Wire {
    tcp: TcpStream,
    tls: Option<Connection>,
    got: Vec<u8>,
    end: Option<Saw>,
    close_notify: bool,
    written: u64,
}

impl Wire {
    /// Without TLS.
    pub fn plain(tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).unwrap();
        Self { tcp, tls: None, got: Vec::new(), end: None, close_notify: false, written: 0 }
    }

    /// Connects without TLS.
    pub async fn dial(address: SocketAddr) -> Self {
        Self::plain(TcpStream::connect(address).await.unwrap())
    }

    /// Connects without TLS from a loopback address of its own.
    pub async fn dial_from(source: [u8; 4], address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((source, 0).into()).unwrap();
        Self::plain(socket.connect(address).await.unwrap())
    }

    /// Connects as `sidecar`, whose hello is not sent yet: see [`flight`](Self::flight).
    pub async fn hold_hello(sidecar: &Sidecar, address: SocketAddr, sni: &str) -> Self {
        Self::dial(address).await.calling(sidecar, sni)
    }

    /// The end of `sidecar`; the handshake is still to be done.
    #[must_use]
    pub fn calling(self, sidecar: &Sidecar, sni: &str) -> Self {
        let name = ServerName::try_from(sni.to_owned()).expect("a name that TLS can carry");
        let connection = ClientConnection::new(Arc::new(sidecar.config.clone()), name).unwrap();
        Self { tls: Some(connection.into()), ..self }
    }

    /// Connects as `sidecar` and finishes the handshake.
    pub async fn secure(sidecar: &Sidecar, address: SocketAddr, sni: &str) -> Self {
        let mut wire = Self::hold_hello(sidecar, address, sni).await;
        assert_eq!(wire.handshake().await, Ok(()));
        wire
    }

    /// The server's end; the handshake is still to be done.
    #[must_use]
    pub fn serving(self, config: &Arc<ServerConfig>) -> Self {
        Self { tls: Some(ServerConnection::new(config.clone()).unwrap().into()), ..self }
    }

    /// The address on the other side.
    pub fn peer_addr(&self) -> SocketAddr {
        self.tcp.peer_addr().unwrap()
    }

    /// Our own address.
    pub fn local_addr(&self) -> SocketAddr {
        self.tcp.local_addr().unwrap()
    }

    /// The certificates that the other side presented.
    pub fn presented(&self) -> &[CertificateDer<'static>] {
        self.tls.as_ref().and_then(|tls| tls.peer_certificates()).unwrap_or_default()
    }

    /// The application protocol that was agreed on.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.tls.as_ref().and_then(|tls| tls.alpn_protocol())
    }

    /// How many tickets for TLS 1.3 have come.
    pub fn tickets(&self) -> u32 {
        match &self.tls {
            Some(Connection::Client(client)) => client.tls13_tickets_received(),
            _ => 0,
        }
    }

    /// How many bytes were sent so far, those of TLS included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Takes the records that TLS wants to send next; whoever takes them has to send them.
    pub fn flight(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut records).unwrap();
            }
        }
        records
    }

    /// Makes records of bytes of the application; whoever takes them has to send them.
    pub fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.tls.as_mut().expect("TLS to seal with").writer().write_all(bytes).unwrap();
        self.flight()
    }

    /// Reads until the handshake is done, as far as this end can tell; whoever takes what it wants to send
    /// for that has to send it.
    pub async fn hold_handshake(&mut self) -> Vec<u8> {
        let mut held = self.flight();
        while self.tls.as_ref().is_some_and(|tls| tls.is_handshaking()) {
            self.heard().await;
            held.extend(self.flight());
        }
        held
    }

    /// Sends and reads until the handshake is done, as far as this end can tell.
    pub async fn handshake(&mut self) -> Result<(), Saw> {
        soon("the handshake", async {
            loop {
                let flight = self.flight();
                self.send_raw(&flight).await;
                if let Some(end) = &self.end {
                    return Err(end.clone());
                }
                if self.tls.as_ref().is_none_or(|tls| !tls.is_handshaking()) {
                    return Ok(());
                }
                self.read_some().await;
            }
        })
        .await
    }

    /// Waits until the other side has said something, and does not answer.
    pub async fn heard(&mut self) {
        soon("an answer", self.read_some()).await;
    }

    /// Sends the hello with bytes of the application that do not wait for the handshake (RFC 8446 section 2.3);
    /// false if there is no session that allows it.
    pub async fn early(&mut self, bytes: &[u8]) -> bool {
        let offered = match &mut self.tls {
            Some(Connection::Client(client)) => {
                client.early_data().is_some_and(|mut early| early.write_all(bytes).is_ok())
            }
            _ => false,
        };
        let flight = self.flight();
        self.send_raw(&flight).await;
        offered
    }

    /// Changes our keys and asks for a change of the other side's (RFC 8446 section 4.6.3).
    pub async fn renew_keys(&mut self) {
        self.tls.as_mut().expect("TLS, whose keys they are").refresh_traffic_keys().unwrap();
        let flight = self.flight();
        self.send_raw(&flight).await;
    }

    /// Takes the keys of our direction out of a TLS 1.3 connection, whose configuration must allow that. From now
    /// on records are sealed by hand, and what comes is not opened.
    #[must_use]
    pub fn unsealed(mut self) -> (Self, Sealer) {
        let tls = self.tls.take().expect("TLS, to be taken apart");
        let suite = tls.negotiated_cipher_suite().expect("a handshake that is done");
        let SupportedCipherSuite::Tls13(suite) = suite else { panic!("not TLS 1.3") };
        let (next, secrets) = tls.dangerous_extract_secrets().unwrap().tx;
        let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
        | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
        | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = secrets
        else {
            panic!("an unknown cipher")
        };
        let mut sealer = Sealer { encrypter: suite.aead_alg.encrypter(key, iv), next: 0 };
        // What was sent before; the cipher takes numbers in their order only.
        while sealer.next < next {
            sealer.seal(0, b"");
        }
        (self, sealer)
    }

    /// Sends bytes of the application; stops where the other side is gone.
    pub async fn send(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(64 * 1024) {
            if let Some(tls) = &mut self.tls {
                tls.writer().write_all(piece).unwrap();
                let flight = self.flight();
                self.send_raw(&flight).await;
            } else {
                self.send_raw(piece).await;
            }
        }
    }

    /// Sends bytes as they are, past TLS.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        if self.end == Some(Saw::Reset) {
            return;
        }
        match soon("a peer that takes bytes", self.tcp.write_all(bytes)).await {
            Ok(()) => self.written += bytes.len() as u64,
            Err(_) => self.end = Some(Saw::Reset),
        }
    }

    /// Sends bytes as they are, piece by piece, letting others run after each.
    pub async fn send_pieces<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) {
        for piece in pieces {
            self.send_raw(piece).await;
            tokio::task::yield_now().await;
        }
    }

    /// Ends this direction as its protocol has it: close_notify where there is TLS, then FIN.
    pub async fn finish(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
        }
        let flight = self.flight();
        self.send_raw(&flight).await;
        self.bare_fin().await;
    }

    /// Sends FIN and nothing before it.
    pub async fn bare_fin(&mut self) {
        // The other side may be gone; reading tells.
        let _ = self.tcp.shutdown().await;
    }

    /// Resets the connection.
    pub fn reset(self) {
        self.tcp.set_zero_linger().unwrap();
    }

    /// Waits for `count` bytes of the application and takes them.
    pub async fn receive(&mut self, count: usize) -> Vec<u8> {
        while self.got.len() < count {
            assert!(self.end.is_none(), "ended at {} of {count} bytes: {:?}", self.got.len(), self.end);
            soon("bytes", self.read_some()).await;
        }
        let rest = self.got.split_off(count);
        std::mem::replace(&mut self.got, rest)
    }

    /// Waits for the end; takes what came until then, and how it ended.
    pub async fn rest(&mut self) -> (Vec<u8>, Saw) {
        loop {
            if let Some(end) = &self.end {
                let end = end.clone();
                return (std::mem::take(&mut self.got), end);
            }
            soon("an end", self.read_some()).await;
        }
    }

    /// Checks that nothing comes but an end, and says which.
    pub async fn end(&mut self) -> Saw {
        let (bytes, end) = self.rest().await;
        assert_eq!(bytes, b"", "before {end:?}");
        end
    }

    async fn read_some(&mut self) {
        let mut piece = vec![0; 16 * 1024];
        match self.tcp.read(&mut piece).await {
            Ok(0) if self.tls.is_none() || self.close_notify => self.end = Some(Saw::End),
            Ok(0) => self.end = Some(Saw::Cut),
            Ok(count) => self.open(piece.get(..count).unwrap_or_default()),
            Err(error) => self.end = Some(Saw::of(&error)),
        }
    }

    fn open(&mut self, mut wire: &[u8]) {
        let Some(tls) = &mut self.tls else {
            return self.got.extend_from_slice(wire);
        };
        while !wire.is_empty() && !self.close_notify {
            tls.read_tls(&mut wire).unwrap();
            match tls.process_new_packets() {
                Ok(state) => self.close_notify = state.peer_has_closed(),
                Err(Error::AlertReceived(alert)) => self.end = Some(Saw::alert(alert)),
                Err(error) => self.end = Some(Saw::Error(error.to_string())),
            }
            if let Err(error) = tls.reader().read_to_end(&mut self.got) {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
            }
            if self.end.is_some() {
                return;
            }
        }
    }
}

/// Makes the records of a TLS 1.3 connection that no library would.
pub struct Sealer {
    encrypter: Box<dyn MessageEncrypter>,
    /// The number of the next record.
    next: u64,
}

impl Sealer {
    /// Seals one record of this content type (RFC 8446 section 5.1).
    pub fn seal(&mut self, kind: u8, content: &[u8]) -> Vec<u8> {
        let message = OutboundPlainMessage {
            typ: ContentType::from(kind),
            version: ProtocolVersion::TLSv1_2,
            payload: OutboundChunks::Single(content),
        };
        let sealed = self.encrypter.encrypt(message, self.next).unwrap();
        self.next += 1;
        sealed.encode()
    }
}

/// Takes the message out of the records of a ClientHello and puts it into new ones, cut at `cuts`.
pub fn recut(records: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut message = Vec::new();
    let mut rest = records;
    while let Some((header, behind)) = rest.split_first_chunk::<5>() {
        let [kind, _, _, high, low] = *header;
        assert_eq!(kind, 22, "handshake records only");
        let (payload, next) = behind.split_at(usize::from(u16::from_be_bytes([high, low])));
        message.extend_from_slice(payload);
        rest = next;
    }
    let mut recut = Vec::new();
    let ends = cuts.iter().copied().chain([message.len()]);
    let mut start = 0;
    for end in ends {
        let payload = message.get(start..end).expect("cuts that rise within the message");
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        recut.extend_from_slice(&[22, 3, 1]);
        recut.extend_from_slice(&length);
        recut.extend_from_slice(payload);
        start = end;
    }
    recut
}

/// Bytes that don't repeat.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        // Marsaglia's xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
