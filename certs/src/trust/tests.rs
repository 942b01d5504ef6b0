//! What the tests of trust share.

use std::time::Duration;

use landbridge_core::{Reason, TrustDomain, TrustName};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;

use super::*;
use crate::issue::{Algorithm, Ca, CaOptions, Extension, Issued, LeafOptions, Purpose, Usage, Validity};
use crate::refusal::Refusal;
use crate::testing::{
    Gateway, SLEEP, anonymous, at, client, client_of, entry, entry_with, id, leaf, now, root, service, shake,
    store,
};
use crate::tls::provider;

/// Shakes hands with a gateway that knows one root, `name`, for `cluster.local`.
fn refused(ca: &Ca, issued: &Issued) -> (Option<Reason>, Option<u8>) {
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[ca])]);
    shake(&gateway, client(issued)).refused()
}

/// Asks as a handshake does, twice, and holds both answers against a full verification.
fn asked(store: &TrustStore, chain: &[CertificateDer<'_>], time: UnixTime) -> Result<Svid, Refusal> {
    let verified = store.verify(&chain[0], &chain[1..], time, Role::Client);
    for _ in 0..2 {
        assert_eq!(store.recognize(&chain[0], &chain[1..], time, Role::Client), verified, "{time:?}");
    }
    verified
}

fn reason(reason: Reason) -> (Option<Reason>, Option<u8>) {
    (Some(reason), reason.alert())
}

/// A subject alternative name extension of raw names.
fn san(names: &[(u8, &[u8])]) -> Extension {
    let mut der = Vec::new();
    for (tag, value) in names {
        der.push(0x80 | tag);
        push_length(&mut der, value.len());
        der.extend_from_slice(value);
    }
    let mut sequence = vec![0x30];
    push_length(&mut sequence, der.len());
    sequence.extend(der);
    Extension { oid: vec![2, 5, 29, 17], critical: false, der: sequence }
}

fn push_length(der: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        der.push(u8::try_from(length).unwrap());
    } else {
        der.push(0x82);
        der.extend(u16::try_from(length).unwrap().to_be_bytes());
    }
}

fn with_san(names: &[(u8, &[u8])]) -> impl FnOnce(&mut LeafOptions) + use<> {
    let extension = san(names);
    move |options| {
        options.uris.clear();
        options.extensions.push(extension);
    }
}

fn day() -> Validity {
    Validity::starting(now(), Duration::from_secs(86_400))
}

mod algorithms;
mod bounds;
mod constraints;
mod ends;
mod entries;
mod leaves;
mod loading;
mod paths;
mod points;
mod recognized;
mod revocation;
mod sessions;
mod shown;
mod telling;
mod tickets;
