//! Random configurations and calls: what is explained is what the data path decides.

use std::fmt::Write as _;
use std::net::SocketAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::policy::{Caller, Unseen};
use crate::service::HostPort;
use crate::sni::Sni;
use crate::spiffe::Identity;

const HOSTS: [&str; 3] = ["a.example", "b.example", "b.a.example"];
const NAMES: [&str; 6] =
    ["a.example", "x.a.example", "*.a.example", "*.example", "*.b.a.example", "b.example."];
const GRANTS: [&str; 6] = [
    "'spiffe://one/ns/n/sa/s'",
    "'spiffe://one/ns/n/sa/*'",
    "'spiffe://one/ns/*/sa/s'",
    "'spiffe://two/*'",
    "{ id = 'spiffe://one/*', from = 'first' }",
    "{ id = 'spiffe://one/ns/m/sa/s', from = 'second' }",
];
/// Callers: with them, each grant has somebody whom it names, and each domain a stranger.
const IDS: [&str; 8] = [
    "spiffe://one/ns/n/sa/s",
    "spiffe://one/ns/n/sa/t",
    "spiffe://one/ns/m/sa/s",
    "spiffe://one/ns/m/sa/t",
    "spiffe://two/ns/n/sa/s",
    "spiffe://two/x",
    "spiffe://one/x",
    "spiffe://three/x",
];
const TRUST: [(&str, &str); 3] = [("first", "one"), ("second", "one"), ("third", "two")];
const ENDPOINTS: [&str; 3] = [
    "{ address = '192.0.2.1:80', labels = { v = '1' } }",
    "{ address = '192.0.2.2:80', priority = 1 }",
    "{ address = 'endpoint.example:80', labels = { v = '2' } }",
];

/// A service of random make; two of them may collide, and then the configuration is not valid.
fn service() -> impl Strategy<Value = String> {
    let host = proptest::option::of((select(&HOSTS[..]), 80_u16..82, 0_usize..3));
    let names = subsequence(NAMES.to_vec(), 0..3);
    let grants = subsequence(GRANTS.to_vec(), 0..4);
    let endpoints = subsequence(ENDPOINTS.to_vec(), 0..=3);
    let own = vec(proptest::option::of(subsequence(GRANTS.to_vec(), 0..3)), 3);
    (host, names, grants, endpoints, (0_u8..4, own)).prop_map(
        |(host, names, grants, endpoints, (mode, own))| {
            let mut toml = format!("[[service]]\nsni = {names:?}\nendpoints = [{}]\n", endpoints.join(", "));
            match mode {
                0 => toml += "mode = 'passthrough'\n",
                1 => writeln!(toml, "authorization = 'audit'\nallow = [{}]", grants.join(", ")).unwrap(),
                _ => writeln!(toml, "allow = [{}]", grants.join(", ")).unwrap(),
            }
            if let Some((host, port, subsets)) = host {
                writeln!(toml, "host = '{host}'\nport = {port}").unwrap();
                for (version, list) in (1..=subsets).zip(own) {
                    writeln!(toml, "[[service.subset]]\nname = 'v{version}'\nlabels = {{ v = '{version}' }}")
                        .unwrap();
                    if let Some(list) = list.filter(|_| mode != 0) {
                        writeln!(toml, "allow = [{}]", list.join(", ")).unwrap();
                    }
                }
            }
            toml
        },
    )
}

/// Services one after the other, each kept if the configuration is valid with it.
fn configuration() -> impl Strategy<Value = Config> {
    (vec(service(), 0..6), 1..=TRUST.len()).prop_map(|(services, trust)| {
        let mut toml = "[identity]\ndirectory = 'x'\n".to_owned();
        for (name, domain) in &TRUST[..trust] {
            writeln!(toml, "[[trust]]\nname = '{name}'\ndomain = '{domain}'\nbundle = 'x'").unwrap();
        }
        let mut config = Config::from_toml(&toml, Path::new("/")).unwrap();
        for service in services {
            if let Ok(more) = Config::from_toml(&format!("{toml}{service}"), Path::new("/")) {
                (toml, config) = (format!("{toml}{service}"), more);
            }
        }
        config
    })
}

fn asked_name() -> impl Strategy<Value = String> {
    let key = (select(&["80", "81", "080"][..]), select(&["", "v1", "V2", "v3"][..]), select(&HOSTS[..]));
    let odd = ["", "192.0.2.1", "a..b", "b.example.", "example", "y.x.a.example", "X.b.a.EXAMPLE", "1.2"];
    prop_oneof![
        4 => key.prop_map(|(port, subset, host)| format!("outbound_.{port}_.{subset}_.{host}")),
        2 => select(&HOSTS[..]).prop_map(str::to_owned),
        2 => select(odd.to_vec()).prop_map(str::to_owned),
    ]
}

/// What the data path decides, told by its own functions alone.
fn decided(config: &Config, call: &Call) -> Verdict {
    let name = match Sni::parse(&call.sni) {
        Ok(name) => name,
        Err(_) if call.sni.is_empty() || call.sni == "192.0.2.1" => return Verdict::Refused(Reason::NoSni),
        Err(_) => return Verdict::Refused(Reason::SniInvalid),
    };
    let host = HostPort { host: "endpoint.example".into(), port: 80 };
    let answers = Answers::new([(host, vec![SocketAddr::from(([192, 0, 2, 3], 80))])].into());
    let table = Table::compile(&config.services, &answers, &Table::default());
    let Some(route) = table.find(name.as_str()) else { return Verdict::Refused(Reason::SniUnknown) };
    if !route.pool.has_usable(Duration::ZERO) {
        return Verdict::Refused(Reason::NoEndpoint);
    }
    let check = |caller: &Caller| match route.policy().check(caller) {
        Ok(permit) if permit.would_deny() => Verdict::WouldDeny,
        Ok(_) => Verdict::LetIn,
        Err(_) => Verdict::Refused(Reason::Denied),
    };
    if route.service.mode == Mode::Passthrough {
        return check(&Caller::Unseen(Unseen::Passthrough));
    }
    let ids: Vec<SpiffeId> = match &call.identity {
        Some(id) => vec![id.clone()],
        None => IDS.iter().map(|id| SpiffeId::parse(id).unwrap()).collect(),
    };
    let entries =
        config.trust.iter().filter(|entry| call.trust.as_ref().is_none_or(|name| *name == entry.name));
    let verdicts = entries.flat_map(|entry| {
        let vouched = ids.iter().filter(|id| id.trust_domain() == entry.domain.as_str());
        vouched.map(|id| check(&Caller::Verified(Identity { trust: entry.name.clone(), id: id.clone() })))
    });
    verdicts.max().unwrap_or_else(|| {
        let known = config.trust.iter().any(|entry| entry.domain.as_str() == ids[0].trust_domain());
        Verdict::Refused(if known { Reason::WrongBundle } else { Reason::UnknownTrustDomain })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_verdict_is_the_one_of_the_data_path(
        config in configuration(),
        sni in asked_name(),
        identity in proptest::option::of(select(&IDS[..])),
        trust in proptest::option::of(0..TRUST.len()),
    ) {
        let trust = trust.and_then(|index| config.trust.get(index)).map(|entry| entry.name.clone());
        let identity = identity.map(|id| SpiffeId::parse(id).unwrap());
        let call = Call { sni, identity, trust };
        let story = explain(&config, &call);
        prop_assert_eq!(story.verdict, decided(&config, &call), "{:?}\n{:#?}", call, story);
        prop_assert_eq!(story.steps.last().map(|step| step.topic), Some(Topic::Verdict));
        if let Some(route) = &story.route {
            prop_assert_eq!(route.endpoints.is_empty(), story.verdict == Verdict::Refused(Reason::NoEndpoint));
        }
        for near in &story.nearest {
            let name = near.name.replace('*', "x");
            let known = explain(&config, &Call { sni: name, ..call.clone() });
            prop_assert!(known.route.is_some(), "{:?}", near);
        }
    }
}
