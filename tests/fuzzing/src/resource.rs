//! Resources of the configuration stream: any spec means something or is objected to, in bounds.

use std::path::Path;

use landbridge_core::config::Config;
use landbridge_core::config::resource::{
    Decision, LONGEST, Lowered, OBJECTIONS, PeerSpec, PolicySpec, Scope, endpoints, peer, policy, service,
    trust_bundle,
};
use landbridge_core::{Policy, Snapshot};

/// The first byte says which type and what the stream may decide; the rest is the spec.
pub fn resource(data: &[u8]) {
    let Some((choice, spec)) = data.split_first() else { return };
    let spec = String::from_utf8_lossy(spec);
    let more = [Decision::Trust, Decision::Audit, Decision::Passthrough];
    let scope = scope(if choice & 0xf0 == 0 { &[] } else { &more });
    match choice & 0x0f {
        0 => drop(checked(endpoints(&spec, &scope), &spec)),
        1 => drop(checked(policy(&spec, &scope), &spec)),
        2 => drop(checked(trust_bundle(&spec, &scope), &spec)),
        3 => drop(checked(peer(&spec), &spec)),
        _ => {
            let Some(lowered) = checked(service(&spec, &scope), &spec) else { return };
            let near = PeerSpec { trust: vec![], ..PeerSpec::default() };
            let all = PolicySpec { services: vec![], allow: vec![] };
            for peers in [None, Some(&near)] {
                let assembled = lowered.assemble(None, [&all], |_| peers).unwrap();
                if let (Some(_), Policy::Grants { allow, .. }) = (&lowered.exposure, &assembled.policy) {
                    assert!(allow.is_empty(), "exposed to nobody, and somebody may call: {allow:?}");
                }
                // By itself it always has a place in a snapshot.
                Snapshot::new(vec![assembled]).unwrap();
            }
        }
    }
}

/// What the file says of all else.
fn scope(more: &[Decision]) -> Scope {
    const FILE: &str = "identities.other.directory = '/other'\n[[trust]]\nname = 'cluster-1'\n\
                        domain = 'cluster.local'\nbundle = 'ca.pem'\n";
    let config = Config::from_toml(FILE, Path::new("/etc/landbridge")).unwrap();
    Scope::of(&config, Decision::USUAL.iter().chain(more).copied())
}

fn checked<T>(lowered: Lowered<T>, spec: &str) -> Option<T> {
    let objections = match lowered {
        Ok(value) => {
            assert!(spec.len() <= LONGEST);
            return Some(value);
        }
        Err(objections) => objections,
    };
    assert!((1..=OBJECTIONS).contains(&objections.len()), "{objections:?}");
    for objection in objections {
        assert!(
            !objection.message.is_empty()
                && objection.to_string().ends_with(objection.help.as_deref().unwrap_or(&objection.message))
        );
    }
    None
}
