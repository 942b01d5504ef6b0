//! Chains that come again: what is remembered of them, and that it is never believed for longer than it holds.

use std::cell::Cell;
use std::sync::Arc;

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair};
use time::OffsetDateTime;

use super::*;
use crate::trust::proofs::{Chain, Proofs, Span};

fn why(answer: Result<Svid, Refusal>) -> Reason {
    answer.unwrap_err().reason
}

fn trust(answer: Result<Svid, Refusal>) -> String {
    answer.unwrap().identity.trust.as_str().to_owned()
}

fn span(from: i64, to: i64) -> Validity {
    Validity { not_before: at(now(), from), not_after: at(now(), to) }
}

fn leaf_in(ca: &Ca, validity: Validity) -> Issued {
    leaf(ca, |options| options.validity = validity)
}

/// A certificate for the name and the key of `middle`, by another CA or for another time.
fn crossed(ca: &Ca, middle: &Ca, validity: Validity) -> CertificateDer<'static> {
    let key = |ca: &Ca| KeyPair::from_pem(&ca.key_pem()).unwrap();
    let when = |time: UnixTime| OffsetDateTime::from_unix_timestamp(time.as_secs().cast_signed()).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "middle");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![Usage::KeyCertSign, Usage::CrlSign];
    (params.not_before, params.not_after) = (when(validity.not_before), when(validity.not_after));
    let issuer = Issuer::from_ca_cert_pem(&ca.certificate_pem(), key(ca)).unwrap();
    params.signed_by(&key(middle), &issuer).unwrap().into()
}

#[test]
fn a_chain_that_comes_again_is_the_same_svid_and_is_remembered_once() {
    let ca = root("root");
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let (one, other) = (ca.svid(&id(SLEEP), now()).unwrap(), ca.svid(&id(SLEEP), now()).unwrap());
    for remembered in [1, 1, 1] {
        assert!(asked(&store, &one.chain, now()).is_ok());
        assert_eq!(store.proofs.count(), remembered);
    }
    assert!(asked(&store, &other.chain, now()).is_ok());
    assert_eq!(store.proofs.count(), 2);
    store.forget();
    assert_eq!((store.proofs.count(), store.proofs.bytes()), (0, 0));
    assert!(asked(&store, &one.chain, now()).is_ok());
}

#[test]
fn a_chain_is_recognized_from_its_first_second_to_its_last_and_by_a_clock_that_was_set_back_too() {
    let ca = root("root");
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let issued = leaf_in(&ca, span(-60, 60));
    let last = asked(&store, &issued.chain, now()).unwrap().not_after;
    let first = at(last, -120);
    for _ in 0..2 {
        assert!(asked(&store, &issued.chain, last).is_ok());
        assert_eq!(why(asked(&store, &issued.chain, at(last, 1))), Reason::CertExpired);
        assert!(asked(&store, &issued.chain, first).is_ok());
        assert_eq!(why(asked(&store, &issued.chain, at(first, -1))), Reason::CertNotYetValid);
    }
    assert_eq!(store.proofs.count(), 1);
}

#[test]
fn an_intermediate_a_root_or_a_list_that_runs_out_ends_what_is_remembered() {
    let brief = |ca: Result<Ca, _>| ca.unwrap();
    let mut options = CaOptions::new(now());
    options.validity = span(-60, 60);
    let (ca, ending) = (root("root"), brief(Ca::root("ending", &options)));
    let middle = brief(ca.intermediate("middle", &options));
    let list = ca.crl(&[], span(-60, 60)).unwrap();
    let plain = || entry("cluster-1", "cluster.local", &[&ca]);
    let cases = [
        (plain(), middle.svid(&id(SLEEP), now()).unwrap(), Reason::CertExpired),
        (
            entry("cluster-1", "cluster.local", &[&ending]),
            ending.svid(&id(SLEEP), now()).unwrap(),
            Reason::CertExpired,
        ),
        (
            entry_with("cluster-1", "cluster.local", &[&ca], Some(&list)),
            ca.svid(&id(SLEEP), now()).unwrap(),
            Reason::RevocationUnknown,
        ),
    ];
    for (entry, issued, reason) in cases {
        let store = store(vec![entry]);
        assert!(asked(&store, &issued.chain, now()).is_ok());
        // Which second is the last does not matter here: each is asked for, and both ways agree on it.
        let ends = (0..120).find(|later| asked(&store, &issued.chain, at(now(), *later)).is_err()).unwrap();
        assert!((58..=62).contains(&ends), "{ends}");
        assert_eq!(why(asked(&store, &issued.chain, at(now(), 120))), reason);
    }
}

#[test]
fn a_store_of_other_content_remembers_nothing_of_the_one_before() {
    let (ca, other) = (root("root"), root("root"));
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let first = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    assert_eq!(trust(asked(&first, &issued.chain, now())), "cluster-1");
    let crl = ca.crl(&[&issued.serial], day()).unwrap();
    let revoking = first.with(entry_with("cluster-1", "cluster.local", &[&ca], Some(&crl)));
    assert_eq!(why(asked(&revoking, &issued.chain, now())), Reason::CertRevoked);
    let replaced = first.with(entry("cluster-1", "cluster.local", &[&other]));
    assert_eq!(why(asked(&replaced, &issued.chain, now())), Reason::CertUntrusted);
    let renamed = store(vec![entry("cluster-2", "cluster.local", &[&ca])]);
    assert_eq!(trust(asked(&renamed, &issued.chain, now())), "cluster-2");
    let elsewhere = store(vec![entry("cluster-1", "b.example", &[&ca])]);
    assert_eq!(why(asked(&elsewhere, &issued.chain, now())), Reason::UnknownTrustDomain);
    assert!(asked(&first, &issued.chain, now()).is_ok(), "it is still what it was");
}

#[test]
fn one_key_in_two_entries_vouches_by_the_first_of_the_domain_however_often_it_is_asked() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let named = |names: [(&str, &str); 2]| {
        store(names.into_iter().map(|(name, domain)| entry(name, domain, &[&ca])).collect())
    };
    let both = named([("a", "cluster.local"), ("b", "cluster.local")]);
    let swapped = named([("b", "cluster.local"), ("a", "cluster.local")]);
    let apart = named([("a", "b.example"), ("b", "cluster.local")]);
    for _ in 0..2 {
        assert_eq!(trust(asked(&both, &issued.chain, now())), "a");
        assert_eq!(trust(asked(&swapped, &issued.chain, now())), "b");
        assert_eq!(trust(asked(&apart, &issued.chain, now())), "b");
    }
}

#[test]
fn a_leaf_is_recognized_by_all_that_it_comes_with_and_in_one_role() {
    let ca = root("root");
    let middle = ca.intermediate("middle", &CaOptions::new(now())).unwrap();
    let issued = leaf(&middle, |leaf| leaf.purposes = vec![Purpose::ClientAuth]);
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let [leaf, middle] = issued.chain.as_slice() else { panic!("a leaf and an intermediate") };
    assert_eq!(asked(&store, &issued.chain, now()).unwrap().path.len(), 2);
    assert_eq!(why(asked(&store, std::slice::from_ref(leaf), now())), Reason::CertUntrusted);
    let longer = [leaf.clone(), middle.clone(), middle.clone()];
    assert!(asked(&store, &longer, now()).is_ok());
    assert_eq!(store.proofs.count(), 2);
    // The same bytes, divided differently.
    let (end, start) = (leaf.len() - 1, leaf.to_vec());
    let moved = [&leaf[end..], &middle[..]].concat();
    let divided = [CertificateDer::from(start[..end].to_vec()), CertificateDer::from(moved)];
    assert_eq!(why(asked(&store, &divided, now())), Reason::CertMalformed);
    let as_server = store.recognize(leaf, &issued.chain[1..], now(), Role::Server);
    assert_eq!(why(as_server), Reason::ExtendedKeyUsage);
}

#[test]
fn a_path_that_begins_later_is_taken_when_it_begins_though_the_other_still_holds() {
    let (first, second) = (root("first"), root("second"));
    let middle = Ca::root("middle", &CaOptions::new(now())).unwrap();
    let issued = middle.svid(&id(SLEEP), now()).unwrap();
    let chain = [
        issued.chain[0].clone(),
        crossed(&first, &middle, span(100, 200)),
        crossed(&second, &middle, span(-100, 300)),
    ];
    let store =
        store(vec![entry("first", "cluster.local", &[&first]), entry("second", "cluster.local", &[&second])]);
    let by = |offset| trust(asked(&store, &chain, at(now(), offset)));
    for _ in 0..2 {
        assert_eq!([0, 150, 250].map(by), ["second", "first", "second"]);
    }
}

#[test]
fn however_many_chains_come_they_have_their_bounds_and_the_newest_is_remembered() {
    let ca = root("root");
    let store = store(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let svid = asked(&store, &issued.chain, now()).unwrap();
    let large = CertId { issuer: vec![0; 30_000].into(), serial: Box::default() };
    let large = Svid { path: Arc::from([large]), ..svid.clone() };
    for (svid, fewest) in [(svid, 4096), (large, 100)] {
        let proofs = Proofs::default();
        let chain =
            |number: u32| Chain::of(&CertificateDer::from(number.to_be_bytes().to_vec()), &[], Role::Client);
        let always = Span::around(now(), []);
        for number in 0..20_000 {
            proofs.keep(chain(number), svid.clone(), always);
            assert_eq!(proofs.recall(&chain(number), now()).as_ref(), Some(&svid));
        }
        assert!(proofs.recall(&chain(0), now()).is_none(), "the oldest made room");
        assert!((fewest..=4096).contains(&proofs.count()), "{}", proofs.count());
        assert!(proofs.bytes() <= 4 << 20, "{}", proofs.bytes());
        // What is kept again takes no second place.
        let before = (proofs.count(), proofs.bytes());
        (0..1_000).for_each(|_| proofs.keep(chain(19_999), svid.clone(), always));
        assert_eq!((proofs.count(), proofs.bytes()), before);
    }
}

#[test]
fn nothing_that_was_refused_is_remembered() {
    let (ca, stranger) = (root("root"), root("stranger"));
    let crl = ca.crl(&[], day()).unwrap();
    let store = store(vec![entry_with("cluster-1", "cluster.local", &[&ca], Some(&crl))]);
    for offset in 0..50 {
        let issued = stranger.svid(&id(SLEEP), at(now(), offset)).unwrap();
        assert_eq!(why(asked(&store, &issued.chain, now())), Reason::CertUntrusted);
    }
    assert_eq!(why(asked(&store, &leaf_in(&ca, span(-60, -30)).chain, now())), Reason::CertExpired);
    let long = vec![ca.certificate().clone(); 9];
    assert_eq!(why(asked(&store, &long, now())), Reason::CertPath);
    assert_eq!((store.proofs.count(), store.proofs.bytes()), (0, 0));
}

#[test]
fn who_is_recognized_still_has_to_be_let_in_and_to_hold_the_key() {
    let ca = root("root");
    let issued = ca.svid(&id(SLEEP), now()).unwrap();
    let gateway = Gateway::new(vec![entry("cluster-1", "cluster.local", &[&ca])]);
    assert_eq!(shake(&gateway, client(&issued)).trust(), "cluster-1");
    assert_eq!(gateway.trust.proofs.count(), 1);
    // The same store in front of another policy: grants are asked every time.
    let denying = Gateway { trust: gateway.trust.clone(), ..Gateway::new(Vec::new()) }.serving(service(&[]));
    assert_eq!(shake(&denying, client(&issued)).refused(), reason(Reason::Denied));
    let thief = ca.svid(&id(SLEEP), now()).unwrap();
    let stolen = shake(&gateway, client_of(&issued.chain, &thief));
    assert_eq!(stolen.refused(), reason(Reason::BadSignature));
    assert_eq!(gateway.trust.proofs.count(), 1, "it was recognized each time");
}

/// One leaf, the ways to its roots that there are at different times, and stores that believe different ones.
struct World {
    chains: Vec<Vec<CertificateDer<'static>>>,
    stores: Vec<Arc<TrustStore>>,
    start: UnixTime,
}

impl World {
    fn new() -> Self {
        let (a, b) = (root("a"), root("b"));
        let middle = Ca::root("middle", &CaOptions::new(now())).unwrap();
        let leaf = leaf_in(&middle, span(-80, 250)).chain[0].clone();
        let ways = [
            crossed(&a, &middle, span(-100, 50)),
            crossed(&a, &middle, span(100, 300)),
            crossed(&b, &middle, span(-50, 200)),
        ];
        let mut chains = vec![leaf_in(&a, span(-20, 20)).chain, vec![leaf.clone()]];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [2, 0, 1]] {
            for many in 1..=3 {
                let way = order[..many].iter().map(|index: &usize| ways[*index].clone());
                chains.push(std::iter::once(leaf.clone()).chain(way).collect());
            }
        }
        let lists = a.crl(&[], span(-300, 30)).unwrap() + &middle.crl(&[], span(-300, 120)).unwrap();
        let one = |name: &str, ca: &Ca| entry(name, "cluster.local", &[ca]);
        let listed = || entry_with("a", "cluster.local", &[&a], Some(&lists));
        let stores = [
            vec![one("a", &a), one("b", &b)],
            vec![one("b", &b), one("a", &a)],
            vec![entry("both", "cluster.local", &[&a, &b])],
            vec![listed()],
            vec![one("b", &b), listed()],
            vec![entry("a", "b.example", &[&a]), one("b", &b)],
        ];
        Self { chains, stores: stores.into_iter().map(store).collect(), start: now() }
    }
}

#[test]
fn what_is_recognized_is_what_would_be_verified_whatever_the_time_and_whatever_came_before() {
    let world = World::new();
    let let_in = Cell::new(0);
    let questions =
        proptest::collection::vec((0..world.stores.len(), 0..world.chains.len(), -150..350_i64), 1..40);
    proptest!(ProptestConfig::with_cases(60), |(questions in questions)| {
        for (store, chain, offset) in questions {
            let answer = asked(&world.stores[store], &world.chains[chain], at(world.start, offset));
            let_in.set(let_in.get() + usize::from(answer.is_ok()));
        }
    });
    let remembered: usize = world.stores.iter().map(|store| store.proofs.count()).sum();
    assert!(let_in.get() > remembered && remembered > 20, "{} by {remembered}", let_in.get());
}
