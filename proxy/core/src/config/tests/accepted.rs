//! What is accepted, and what it means.

use std::num::NonZeroU32;

use super::resource::Decision;
use super::*;
use crate::policy::{Authorization, Policy};
use crate::service::{Alpn, Balance, HostPort, MissingCloseNotify, Mode, SendProxy, Target};

/// The documented file, word for word.
const SAMPLE: &str = include_str!("sample.toml");
const EVERY_KEY: &str = include_str!("every-key.toml");

#[test]
fn the_documented_file_is_valid_as_it_stands() {
    let config = meant(SAMPLE);
    let defaults = GatewayConfig::default();
    assert_eq!(config.gateway.listener, defaults.listener);
    assert_eq!(config.gateway.tls, defaults.tls);
    assert_eq!(config.gateway.endpoints, defaults.endpoints);
    assert_eq!(config.gateway.timeouts, defaults.timeouts);
    assert_eq!(config.gateway.limits, defaults.limits);
    assert_eq!(config.process, ProcessConfig::default());
    let [service] = config.services.sorted()[..] else { panic!("{:?}", config.services) };
    assert_eq!(&*service.name, "httpbin.default.svc.cluster.local:8000");
    assert_eq!((service.endpoints.len(), service.subsets.len()), (2, 1));
}

#[test]
fn the_keys_that_the_documented_file_has_in_comments_are_accepted_too() {
    let uncommented = SAMPLE
        .replace("# [identities.NAME] ", "[identities.NAME]\ndirectory = 'other' #")
        .replace("# alpn", "alpn")
        .replace("# identity", "identity")
        .replace("# send_proxy", "send_proxy")
        .replace("# [service.upstream_tls]", "[service.upstream_tls]")
        .replace("# server_identities = [\"spiffe", "server_identities = [\"spiffe")
        .replace("# per_service,", "per_service = 'off'\nper_identity = 'off'\nper_source = 'off' #");
    assert_eq!(said(&uncommented), "");
}

#[test]
fn an_empty_file_is_valid_and_serves_nothing() {
    assert_eq!(
        said(""),
        "gateway.toml:1:1: warning: service: there is no service, so nothing is served\n  help: add a [[service]]"
    );
    let config = Config::from_toml("", Path::new("/")).unwrap();
    assert_eq!(config.gateway, GatewayConfig::default());
    assert_eq!(config.process, ProcessConfig::default());
    assert_eq!(config.identity, IdentityFiles::default());
    assert!(config.trust.is_empty() && config.services.is_empty());
}

#[test]
fn every_key_of_the_gateway_reaches_the_configuration() {
    let gateway = meant(EVERY_KEY).gateway;
    assert_eq!(gateway.node.id.as_deref(), Some("eastwest-0"));
    assert_eq!((gateway.node.cluster.as_str(), gateway.node.network.as_str()), ("cluster-2", "network2"));
    let addresses: Vec<String> = gateway.listener.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["[::]:16443", "0.0.0.0:0", "127.0.0.1:0"]);
    let ProxyProtocol::Required { from } = gateway.listener.proxy_protocol else { panic!("off") };
    let balancers: Vec<String> = from.iter().map(ToString::to_string).collect();
    assert_eq!(balancers, ["10.1.0.0/16", "2001:db8:1::/48"]);
    assert_eq!(gateway.tls, TlsPolicy { min: MinTls::V1_2, resumption: true });
    let ranges: Vec<String> = gateway.endpoints.allow_cidrs.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.0.0.0/8", "2001:db8::/32"]);
    let millis = |millis| Some(Duration::from_millis(millis));
    assert_eq!(
        gateway.timeouts,
        Timeouts {
            client_hello: millis(1000),
            handshake: millis(2000),
            connect: millis(500),
            connect_hedge: None,
            connect_total: millis(4000),
            idle: millis(9_000_000),
            half_close: millis(60_000),
            flush: None,
            keepalive: millis(15_000),
            user_timeout: millis(20_000),
            drain: None,
            drain_lag: Duration::ZERO,
            expiry_grace: Duration::from_secs(300),
            expiry_jitter: Duration::ZERO,
        }
    );
    let limits = Limits {
        connections: Some(1000),
        handshakes: Some(64),
        client_hello_bytes: 65536,
        per_service: NonZeroU32::new(7),
        per_identity: NonZeroU32::new(8),
        per_source: NonZeroU32::new(9),
        per_second: NonZeroU32::new(10),
        memory: Some(4 << 30),
    };
    assert_eq!(gateway.limits, limits);
}

#[test]
fn relative_paths_are_relative_to_the_file() {
    let config = meant(EVERY_KEY);
    let directory = PathBuf::from("/var/run/secrets/workload-spiffe-credentials");
    assert_eq!(config.identity.own, Some(KeyPairFiles::Directory(directory)));
    let other = KeyPairFiles::Pair {
        certificate: PathBuf::from("/etc/landbridge/other.pem"),
        private_key: PathBuf::from("/etc/landbridge/keys/other.key"),
    };
    assert_eq!(config.identity.named, BTreeMap::from([("other".to_owned(), other)]));
    let [first, second] = config.trust.as_slice() else { panic!("{:?}", config.trust) };
    assert_eq!((first.name.as_str(), first.domain.as_str()), ("cluster-1", "cluster.local"));
    assert_eq!(first.bundle, Path::new("/etc/landbridge/cluster-1-ca.pem"));
    assert_eq!(first.crl.as_deref(), Some(Path::new("/crl/cluster-1.pem")));
    assert_eq!((second.name.as_str(), second.domain.as_str()), ("example.org", "example.org"));
    let process = config.process;
    assert_eq!(process.workers, Some(3));
    assert_eq!(process.health.to_string(), "127.0.0.1:16021");
    assert_eq!(process.metrics.to_string(), "127.0.0.1:16020");
    assert_eq!(process.admin, AdminAddress::Unix(PathBuf::from("/etc/landbridge/run/admin.sock")));
    let log = LogConfig {
        level: "info,landbridge=debug".to_owned(),
        format: EventFormat::Json,
        access: AccessTarget::File(PathBuf::from("/etc/landbridge/access.log")),
        access_format: AccessFormat::Asm,
    };
    assert_eq!(process.log, log);
}

#[test]
fn every_key_of_the_stream_reaches_the_configuration() {
    let control = meant(EVERY_KEY).control.unwrap();
    let said: Vec<String> = control.servers.iter().map(ToString::to_string).collect();
    let expected = [
        "https://control-0.example:15010",
        "https://[2001:db8::1]:443",
        "http://localhost:1",
        "unix:/etc/landbridge/control.sock",
    ];
    assert_eq!(said, expected);
    assert_eq!(control.server_identities[0].as_str(), "spiffe://cluster.local/ns/landbridge/sa/control");
    assert_eq!(control.snapshot, PathBuf::from("/etc/landbridge/state/snapshot"));
    let may = [Decision::Service, Decision::Endpoints, Decision::Policy, Decision::Trust];
    assert_eq!(control.may, may.into_iter().collect());
    assert_eq!(control.via, Some(("eastwest.example".to_owned(), 15443)));
    assert_eq!(control.removals_percent, 50);
}

#[test]
fn every_key_of_a_service_reaches_the_configuration() {
    let config = meant(EVERY_KEY);
    let [through, service] = config.services.sorted()[..] else { panic!("{:?}", config.services) };
    assert_eq!(service.host(), Some(("httpbin.default.svc.cluster.local", 8000)));
    let names: Vec<String> = service.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["httpbin.example", "*.apps.example", "outbound_.80_._.old.example"]);
    let Policy::Grants { allow, authorization } = &service.policy else { panic!("{:?}", service.policy) };
    let grants: Vec<String> = allow.iter().map(ToString::to_string).collect();
    assert_eq!(
        grants,
        [
            "spiffe://cluster.local/ns/default/sa/sleep",
            "spiffe://example.org/*",
            "spiffe://cluster.local/ns/*/sa/web from cluster-1",
            "spiffe://cluster.local/ns/test/sa/*",
            "spiffe://cluster.local/* (alias of example.org)"
        ]
    );
    assert_eq!(*authorization, Authorization::Audit);
    assert_eq!(service.alpn, Alpn::Only(["istio".into(), "h2".into()].into()));
    assert_eq!(service.balance, Balance::SourceHash);
    assert_eq!(service.missing_close_notify, MissingCloseNotify::Fin);
    assert!(service.close_on_cert_expiry);
    assert_eq!(service.identity.as_deref(), Some("other"));
    assert_eq!((service.send_proxy, through.send_proxy), (SendProxy::V2, SendProxy::Off));
    let expected = &service.upstream_tls.as_ref().unwrap().server_identities;
    let expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
    assert_eq!(
        expected,
        ["spiffe://cluster.local/ns/default/sa/httpbin", "spiffe://example.org/* from example.org"]
    );
    assert_eq!(through.upstream_tls, None);
    let [first, second, third] = &*service.endpoints else { panic!("{:?}", service.endpoints) };
    assert_eq!((first.weight, first.priority, first.locality()), (1, 0, None));
    assert_eq!((second.weight, second.priority, second.locality()), (3, 1, Some("region/zone")));
    assert_eq!(third.target, Target::Host(HostPort { host: "backend.example".into(), port: 8080 }));
    assert_eq!(third.labels().get("track").map(String::as_str), Some("stable"));
    let [v1, stable] = &*service.subsets else { panic!("{:?}", service.subsets) };
    assert_eq!((v1.name.as_str(), &v1.allow, stable.name.as_str()), ("v1", &None, "stable"));
    let grants: Vec<String> = stable.allow.iter().flatten().map(ToString::to_string).collect();
    assert_eq!(grants, ["spiffe://cluster.local/ns/*/sa/web from cluster-1"]);
    assert_eq!((&*through.name, through.mode), ("db.example", Mode::Passthrough));
    assert_eq!((through.host(), &through.policy), (None, &Policy::EndpointDecides));
}

#[test]
fn addresses_of_logs_and_admin_have_their_words() {
    let process = |text: &str| Config::from_toml(text, Path::new("/etc")).unwrap().process;
    for (word, target) in [
        ("stdout", AccessTarget::Stdout),
        ("stderr", AccessTarget::Stderr),
        ("off", AccessTarget::Off),
        ("/var/log/a", AccessTarget::File(PathBuf::from("/var/log/a"))),
    ] {
        assert_eq!(process(&format!("log.access = '{word}'")).log.access, target);
    }
    let admin = |text: &str| process(&format!("admin.address = '{text}'")).admin;
    assert_eq!(admin("unix:/run/a.sock"), AdminAddress::Unix(PathBuf::from("/run/a.sock")));
    for elsewhere in ["0.0.0.0:15000", "[::]:15000", "10.0.0.1:15000"] {
        let said = said(&format!("[admin]\naddress = '{elsewhere}'"));
        assert!(
            said.contains("gateway.toml:2:11: warning: admin.address: nobody is authenticated"),
            "{said}"
        );
    }
    for here in ["127.0.0.1:15001", "[::1]:15000", "[::ffff:127.0.0.1]:15000", "unix:/run/a.sock"] {
        assert!(!said(&format!("[admin]\naddress = '{here}'")).contains("admin.address"), "{here}");
    }
    assert_eq!(admin("[::1]:15000"), AdminAddress::Tcp("[::1]:15000".parse().unwrap()));
}

#[test]
fn an_ipv4_endpoint_is_one_however_it_is_written() {
    let config = meant(
        "[[service]]\nsni = ['a.example']\nmode = 'passthrough'\n\
         endpoints = [{ address = '[::ffff:10.0.0.7]:80' }, { address = '[fe80::1%3]:80' }]\n",
    );
    let [service] = config.services.sorted()[..] else { panic!("{:?}", config.services) };
    let addresses: Vec<String> =
        service.endpoints.iter().map(|endpoint| endpoint.target.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.7:80", "[fe80::1%3]:80"]);
}

#[test]
fn a_listener_may_be_one_address_and_port_0_may_repeat() {
    let addresses = |text: &str| {
        let text = format!("listener.address = {text}");
        Config::from_toml(&text, Path::new("/")).unwrap().gateway.listener.addresses.len()
    };
    assert_eq!(addresses("'0.0.0.0:15443'"), 1);
    assert_eq!(addresses("['[::]:0', '[::]:0']"), 2);
}

#[test]
fn a_source_knows_the_folder_of_its_file() {
    let source = Source::file(Path::new("conf/gateway.toml"));
    assert_eq!((source.name.as_str(), source.dir.as_path()), ("conf/gateway.toml", Path::new("conf")));
    assert_eq!(Source::file(Path::new("gateway.toml")).dir, Path::new(""));
}

#[test]
fn no_postponement_is_written_as_zero_or_as_off() {
    for text in ["expiry_grace = '0s'\nexpiry_jitter = '0s'", "expiry_grace = 'off'\nexpiry_jitter = 'off'"] {
        let config = Config::from_toml(&format!("[timeouts]\n{text}"), Path::new("/")).unwrap();
        let timeouts = config.gateway.timeouts;
        assert_eq!((timeouts.expiry_grace, timeouts.expiry_jitter), (Duration::ZERO, Duration::ZERO));
    }
}

/// What is documented of identities.
const IDENTITIES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/identity.md"));

#[test]
fn the_example_of_a_move_to_another_trust_domain_is_valid_without_a_warning() {
    let (_, rest) = IDENTITIES.split_once("## Moving to another trust domain").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let (_, example) = section.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let config = meant(example);
    let [service] = config.services.sorted()[..] else { panic!("{:?}", config.services) };
    let Policy::Grants { allow, .. } = &service.policy else { panic!("{:?}", service.policy) };
    let aliases: Vec<&crate::policy::Grant> = allow.iter().filter(|it| it.alias_of.is_some()).collect();
    let [alias] = aliases.as_slice() else { panic!("{allow:?}") };
    let meant = alias.id.under(alias.alias_of.as_ref().unwrap()).unwrap();
    assert!(allow.iter().any(|grant| grant.id == meant), "{allow:?}");
    // Each of the two is bound to the entry of its own domain, and the section names the line that shows it.
    let entry = |grant: &crate::policy::Grant| {
        let from = grant.from.as_ref().unwrap();
        config.trust.iter().find(|entry| entry.name == *from).unwrap().domain.as_str().to_owned()
    };
    assert!(allow.iter().all(|grant| entry(grant) == grant.id.trust_domain()), "{allow:?}");
    assert!(section.contains(&alias.to_string()), "{alias}");
}

/// The reference of the file, which has a sample of its own.
const REFERENCE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md"));

#[test]
fn the_sample_of_the_reference_is_valid() {
    let (_, rest) = REFERENCE.split_once("```toml\n").unwrap();
    let (sample, rest) = rest.split_once("```").unwrap();
    assert!(!rest.contains("```toml"), "one sample is checked");
    assert_eq!(meant(sample).services.len(), 2);
}
