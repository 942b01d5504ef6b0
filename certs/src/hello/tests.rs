//! What the tests of reading a hello share: hellos as sent, and as nobody would send them.

use std::sync::Arc;

use landbridge_core::{Reason, Sni};
use proptest::prelude::*;
use rustls::client::ClientConnection;
use rustls::crypto::aws_lc_rs;
use rustls::server::Acceptor;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, InvalidMessage, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

use super::*;
use crate::tls::provider;

const CAP: usize = 16_384;
const NAME: &str = "outbound_.8000_._.httpbin.default.svc.cluster.local";

/// Which key shares a client offers.
#[derive(Debug, Clone, Copy)]
enum Shares {
    Classic,
    Hybrid,
}

/// What a rustls client sends first.
fn captured(name: &str, shares: Shares, versions: &[&'static SupportedProtocolVersion]) -> Vec<u8> {
    let mut provider = provider();
    if matches!(shares, Shares::Classic) {
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519, aws_lc_rs::kx_group::SECP256R1];
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"istio-peer-exchange".to_vec(), b"istio".to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn hybrid_hello() -> Vec<u8> {
    captured(NAME, Shares::Hybrid, &[&TLS13, &TLS12])
}

/// The handshake message inside one record.
fn message(record: &[u8]) -> &[u8] {
    &record[5..]
}

/// A record of this content type.
fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 1];
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A message over records of these sizes, the rest in a last one.
fn records(message: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), message);
    for size in sizes {
        let (now, later) = rest.split_at((*size).min(rest.len()));
        if !now.is_empty() {
            bytes.extend(record(22, now));
        }
        rest = later;
    }
    if !rest.is_empty() {
        bytes.extend(record(22, rest));
    }
    bytes
}

/// A ClientHello with these extensions, each of type and value.
fn composed(version: [u8; 2], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = version.to_vec();
    body.extend([7; 32]);
    body.push(0);
    // GREASE, TLS_AES_128_GCM_SHA256, ECDHE-ECDSA-AES128-GCM-SHA256.
    body.extend([0, 6, 0x0a, 0x0a, 0x13, 0x01, 0xc0, 0x2b]);
    body.extend([1, 0]);
    let mut all = Vec::new();
    for (kind, value) in extensions {
        all.extend(kind.to_be_bytes());
        all.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        all.extend_from_slice(value);
    }
    if !extensions.is_empty() {
        body.extend(u16::try_from(all.len()).unwrap().to_be_bytes());
        body.extend(all);
    }
    let mut message = vec![1];
    message.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    message.extend(body);
    message
}

/// signature_algorithms: GREASE and ecdsa_secp256r1_sha256.
fn schemes() -> (u16, Vec<u8>) {
    (13, vec![0, 4, 0x1a, 0x1a, 4, 3])
}

/// server_name of these entries, each of type and value.
fn server_name(entries: &[(u8, &[u8])]) -> (u16, Vec<u8>) {
    let mut list = Vec::new();
    for (kind, name) in entries {
        list.push(*kind);
        list.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
        list.extend_from_slice(name);
    }
    let mut value = u16::try_from(list.len()).unwrap().to_be_bytes().to_vec();
    value.extend(list);
    (0, value)
}

fn named(name: &[u8]) -> Vec<u8> {
    record(22, &composed([3, 3], &[server_name(&[(0, name)]), schemes()]))
}

/// Feeds `bytes` in segments of `size`.
fn read(bytes: &[u8], size: usize, cap: usize) -> Result<Option<Hello>, HelloError> {
    let mut reader = HelloReader::new(cap);
    for (index, segment) in bytes.chunks(size).enumerate() {
        if let Some(mut hello) = reader.feed(segment)? {
            // What was not fed yet would be read by the connection.
            hello.raw.extend(bytes.chunks(size).skip(index + 1).flatten());
            return Ok(Some(hello));
        }
    }
    Ok(None)
}

fn whole(bytes: &[u8]) -> Hello {
    read(bytes, bytes.len(), CAP).unwrap().unwrap()
}

fn refused(bytes: &[u8]) -> (Reason, Vec<u8>) {
    let error = read(bytes, bytes.len().max(1), CAP).err().unwrap();
    (error.reason, error.alert)
}

fn with_alert(reason: Reason, alert: u8) -> (Reason, Vec<u8>) {
    (reason, plaintext_alert(alert).to_vec())
}

/// What rustls alone makes of the bytes.
#[derive(Debug)]
enum Theirs {
    Hello(Option<String>),
    Unfinished,
    Refused(Error),
}

fn rustls_alone(bytes: &[u8]) -> Theirs {
    let (mut acceptor, mut rest) = (Acceptor::default(), bytes);
    while !rest.is_empty() {
        if !matches!(acceptor.read_tls(&mut rest), Ok(1..)) {
            return Theirs::Refused(Error::General("too large".into()));
        }
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                return Theirs::Hello(accepted.client_hello().server_name().map(str::to_owned));
            }
            Err((error, _)) => return Theirs::Refused(error),
        }
    }
    Theirs::Unfinished
}

mod agreement;
#[cfg(feature = "issue")]
mod connection;
mod cuts;
mod faults;
mod names;
mod versions;
