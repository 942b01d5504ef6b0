//! Inputs to begin with: what is genuine, in every form that the targets take.

use std::sync::Arc;

use landbridge_core::config::DEFAULT;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::ServerName;

use crate::der::signed_part;
use crate::pem::{armored, base64};
use crate::world::{ROOT_1, world};

/// Names of targets, each with an input.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    svids(&mut seeds);
    lists(&mut seeds);
    bundles(&mut seeds);
    texts(&mut seeds);
    hellos(&mut seeds);
    headers(&mut seeds);
    streams(&mut seeds);
    seeds
}

type Seeds = Vec<(&'static str, Vec<u8>)>;

fn svids(seeds: &mut Seeds) {
    for (number, leaf) in (0u8..).zip(&world().leaves) {
        seeds.push(("svid", vec![number, 0]));
        seeds.push(("svid", vec![number, 8, 1, 0, 0, 200, 1, 1]));
        // Whole, and to be signed.
        seeds.push(("svid", [&[200, 0], leaf.der.as_slice()].concat()));
        seeds.push(("svid", [&[200, 8], signed_part(&leaf.der).unwrap()].concat()));
    }
}

fn lists(seeds: &mut Seeds) {
    let world = world();
    for (number, list) in (0u8..).zip([&world.crl, &world.old_crl, &world.foreign_crl]) {
        seeds.push(("crl", [&[0], armored("X509 CRL", list).as_bytes()].concat()));
        seeds.push(("crl", vec![1, 1 << number]));
        seeds.push(("crl", [&[3], signed_part(list).unwrap()].concat()));
    }
    seeds.push(("crl", vec![1, 7]));
    seeds.push(("crl", vec![2, 1, 0, 0, 60, 1, 1]));
}

fn bundles(seeds: &mut Seeds) {
    let root = &world().cas[ROOT_1];
    let json = format!(
        r#"{{"spiffe_sequence": 7, "keys": [{{"kty": "EC", "use": "x509-svid", "x5c": ["{}"]}}, {{"use": "jwt-svid"}}]}}"#,
        base64(root)
    );
    seeds.push(("bundle", [&[0], json.as_bytes()].concat()));
    seeds.push(("bundle", [&[0], armored("CERTIFICATE", root).as_bytes()].concat()));
    seeds.push(("bundle", [&[2], root.as_slice()].concat()));
    for choice in [1, 3, 15, 255] {
        seeds.push(("bundle", vec![1, choice, 1, 0, 0, 40, 1, 1]));
    }
}

fn texts(seeds: &mut Seeds) {
    for text in [
        "spiffe://cluster.local/ns/default/sa/sleep",
        "spiffe://cluster.local/ns/default/sa/*",
        "spiffe://cluster.local/ns/*/sa/sleep",
        "spiffe://cluster.local/*",
        "spiffe://b.example/a/../b",
    ] {
        seeds.push(("spiffe", text.into()));
    }
    for text in ["outbound_.8000_._.httpbin.default.svc.cluster.local", "*.Example.com", "a.b.", "10.0.0.7"] {
        seeds.push(("sni", text.into()));
    }
    seeds.push(("config", DEFAULT.into()));
    // What the file shows of keys without a default.
    seeds.push(("config", DEFAULT.replace("\n#", "\n").into()));
}

fn hellos(seeds: &mut Seeds) {
    for (versions, sizes) in [(rustls::ALL_VERSIONS, &[0][..]), (&[&rustls::version::TLS12], &[2, 1, 50])] {
        let mut config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_protocol_versions(versions)
                .unwrap()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
        config.alpn_protocols = vec![b"istio-peer-exchange".to_vec(), b"istio".to_vec()];
        let name = ServerName::try_from("outbound_.80_._.a.example").unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut input = sizes.to_vec();
        client.write_tls(&mut input).unwrap();
        seeds.push(("hello", input));
    }
}

fn headers(seeds: &mut Seeds) {
    for line in
        ["TCP4 192.0.2.1 198.51.100.7 4711 15443", "TCP6 2001:db8::1 2001:db8::2 4711 15443", "UNKNOWN"]
    {
        seeds.push(("proxy", format!("PROXY {line}\r\nbehind").into()));
    }
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    // LOCAL; PROXY over TCP and IPv4, with a TLV (PP2_TYPE_NOOP) behind the addresses; the same over IPv6.
    let headers: [&[&[u8]]; 3] = [
        &[&[0x20, 0, 0, 0]],
        &[&[0x21, 0x11, 0, 16, 192, 0, 2, 1, 198, 51, 100, 7, 0x12, 0x67, 0x3c, 0x53, 4, 0, 1, 0]],
        &[&[0x21, 0x21, 0, 36], &[0x20; 32], &[0x12, 0x67, 0x3c, 0x53]],
    ];
    for header in headers {
        seeds.push(("proxy", [&signature[..], &header.concat(), b"behind"].concat()));
    }
}

/// What servers and gateways of the configuration stream say.
fn streams(seeds: &mut Seeds) {
    let text = STREAM.replace("\"@\"", "\"44136fa355b3678a1146ad16f7e8649e\"");
    for (number, line) in (0..).zip(text.lines().filter(|line| !line.starts_with('!'))) {
        seeds.push(("lines", [&[number], line.as_bytes(), b"\n"].concat()));
    }
    seeds.push(("session", STREAM.into()));
    let (first, second) = STREAM.split_at(STREAM.len() / 2);
    seeds.push(("session", format!("{WELCOME}{second}").into()));
    seeds.push(("session", format!("{first}\n!\n{WELCOME}").into()));
}

const WELCOME: &str =
    "{\"welcome\":{\"protocol\":1,\"features\":[\"endpoint_delta\"],\"server\":\"control-0\"}}\n";

/// A stream, as the target `session` takes it.
const STREAM: &str = r#"{"welcome":{"protocol":1,"features":["endpoint_delta"],"server":"control-0"}}
{"update":{"nonce":"1","epoch":"e","seq":"1","sent_at":"2026-11-20T00:00:00Z","restates":"all"}}
{"type":"service","name":"web:80","version":"@","spec":{"host":"web"}}
{"type":"endpoints","name":"web:80","version":"@","spec":{"endpoints":[{"address":"10.0.0.1:80"},{"address":"10.0.0.3:80"}]}}
{"type":"policy","name":"p","version":"@","spec":{}}
{"type":"trust_bundle","name":"cluster-1","version":"@","spec":{"domain":"cluster.local"}}
{"type":"peer","name":"cluster-1","version":"0","spec":{}}
{"end":{"nonce":"1"}}
!all
{"heartbeat":{}}
!later
{"want":"digests"}
{"update":{"nonce":"2","epoch":"e","seq":"2","restates":{"buckets":{"service":[1,2,3],"policy":[0]}}}}
{"type":"service","name":"web:80","removed":true}
{"type":"endpoints","name":"web:80","base":"99a6e2d2ed6c31c1a146035995ff6eb0","version":"ccf8dee9d9e633b3c9f34361ecb9226c","set":[{"address":"10.0.0.2:80"}],"remove":["10.0.0.1:80"]}
{"end":{"nonce":"2"}}
!some
{"update":{"nonce":"3","epoch":"f","seq":"1","restates":"all"}}
{"end":{"nonce":"3"}}
!none
{"update":{"nonce":"4","epoch":"e","seq":"9"}}
{"end":{"nonce":"4"}}
{"retry_after":{"milliseconds":5000}}
{"error":{"code":"forbidden","text":"not a gateway of ours"}}
"#;
