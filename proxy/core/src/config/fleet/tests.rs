//! Tests of what a control server reads: the same words as for a gateway, and what stays where something is wrong.

use std::path::PathBuf;

use super::*;

fn source() -> Source {
    Source { name: "file.toml".to_owned(), dir: PathBuf::from("/etc/landbridge") }
}

fn said(problems: &Problems) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn services_keep_the_rules_of_the_gateways_file_and_one_that_breaks_them_hurts_no_other() {
    let text = "labels = { tier = 'web' }
[[service]]
host = 'a.shop.svc.cluster.local'
port = 80
allow = [{ id = 'spiffe://cluster.local/*', from = 'cluster-1' }]
endpoints = [{ address = '10.0.0.7:80' }]
[[service]]
host = 'b.example'
port = 80
allow = ['spiffe://cluster.local/*']
endpoints = [{ address = '10.0.0.7:80', wieght = 2 }]
";
    let checked = services(text, &source());
    assert_eq!(
        said(&checked.problems),
        [
            "file.toml:11:41: error: service[1].endpoints[0].wieght: there is no such key (service b.example)\n  \
          help: did you mean `weight`?"
        ]
    );
    let [good] = checked.good.as_slice() else { panic!("{:?}", checked.good) };
    assert_eq!((good.index, &*good.service.name), (0, "a.shop.svc.cluster.local:80"));
    assert_eq!(good.namespace, "shop");
    assert_eq!(good.labels["tier"], "web");
}

#[test]
fn what_is_wrong_around_the_list_leaves_nothing_good() {
    let good = "[[peer]]\nname = 'cluster-1'\ngateways = ['203.0.113.7:15443']\n";
    assert_eq!(peers(good, &source()).good.len(), 1);
    for wrong in ["surprise = 1\n", "[[trust]]\n", "x = \n"] {
        let checked = peers(&format!("{wrong}{good}"), &source());
        assert!(checked.good.is_empty() && checked.problems.errors() > 0, "{wrong}");
    }
}

#[test]
fn a_policy_names_itself_its_services_and_whom_it_grants() {
    let checked = policies(
        "[[policy]]\nname = 'a b'\nservices = []\n[[policy]]\nname = 'p'\nservices = ['x:80']\nallow = ['spiffe://td/*']\n",
        &source(),
    );
    assert_eq!(checked.problems.errors(), 3, "{}", checked.problems);
    assert_eq!(checked.good.len(), 1);
    assert_eq!((checked.good[0].index, checked.good[0].name.as_str()), (1, "p"));
}

#[test]
fn a_server_without_an_identity_stays_on_this_machine_and_knows_nobody() {
    let (config, _) = server("[[node]]\nnamespaces = ['*']\n", &source()).unwrap();
    assert_eq!(config.address, AdminAddress::Tcp("127.0.0.1:15010".parse().unwrap()));
    assert_eq!(config.nodes[0].who, None);
    let problems = server("[server]\naddress = '0.0.0.0:15010'\n", &source()).unwrap_err();
    assert!(said(&problems)[0].contains("server.address: without [identity]"), "{problems}");
    let problems = server("[[node]]\nid = 'spiffe://td/*'\nnamespaces = ['*']\n", &source()).unwrap_err();
    assert!(said(&problems)[0].contains("node[0].id: nobody proves"), "{problems}");
}

#[test]
fn an_entry_of_a_server_with_an_identity_says_who_and_what() {
    let around = "[identity]\ncertificate = 'c.pem'\nprivate_key = 'c.key'\n[[trust]]\nname = 'cluster-1'\ndomain = 'td'\nbundle = 'ca.pem'\n";
    let (config, warnings) = server(
        &format!("{around}[[node]]\nid = 'spiffe://td/ns/*/sa/eastwest'\nfrom = 'cluster-1'\ncluster = 'c'\nnamespaces = ['shop-*', 'web']\nlabels = {{ tier = 'web' }}\n"),
        &source(),
    )
    .unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let sees = &config.nodes[0].sees;
    let web = Labels::from([("tier".to_owned(), "web".to_owned())]);
    assert!(sees.service("shop-a", &web) && sees.service("web", &web));
    assert!(!sees.service("shop", &web) && !sees.service("shop-a", &Labels::new()));
    let problems = server(&format!("{around}[[node]]\n"), &source()).unwrap_err();
    assert_eq!(problems.errors(), 2, "{problems}");
}

#[test]
fn a_star_in_a_glob_stands_for_anything_or_nothing() {
    let cases = [
        ("*", "", true),
        ("*", "a", true),
        ("a", "a", true),
        ("a", "ab", false),
        ("a*", "a", true),
        ("a*b", "ab", true),
        ("a*b", "a", false),
        ("ab*ba", "aba", false),
        ("*a*", "bab", true),
        ("a*b*c", "a-b-b-c", true),
        ("", "", true),
        ("", "a", false),
    ];
    for (glob, name, matches) in cases {
        assert_eq!(Glob::parse(glob).matches(name), matches, "{glob} {name:?}");
    }
}
