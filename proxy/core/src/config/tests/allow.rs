//! Lists of subsets, and aliases: what is accepted, and mistakes by their exact words.

use super::*;

/// What is said of a file, without what every line has in common.
fn of(text: &str) -> String {
    said(text).replace("gateway.toml:", "").replace(" (service h.example)", "")
}

#[test]
fn a_list_of_a_subset_is_read_as_the_service_s_is() {
    let subset = |service: &str, list: &str| {
        let labels = "labels = { version = 'v1' }";
        let text = good_service(&format!("[[service.subset]]\nname = 'v1'\n{labels}\n{list}"))
            .replace("'10.0.0.7:80'", &format!("'10.0.0.7:80', {labels}"))
            .replace("allow = ['spiffe://cluster.local/*']\nend", &format!("{service}end"));
        of(&text)
    };
    let service = "allow = ['spiffe://cluster.local/*']\n";
    assert_eq!(
        subset(service, "allow = [{ id = 'spiffe://cluster.local/ns/a/sa/b', from = 'cluster-1' }]"),
        ""
    );
    assert_eq!(
        subset(service, "allow = ['spiffe://x/*', { id = 'spiffe://*/*', frm = 'cluster-1' }]"),
        "\
16:10: warning: service[0].subset[0].allow[0]: no [[trust]] entry vouches for x: nobody can match this
16:33: error: service[0].subset[0].allow[1].id: \"spiffe://*/*\" is no SPIFFE ID or pattern: '*' may stand only for a whole part: spiffe://TD/ns/NS/sa/*, spiffe://TD/ns/*/sa/SA or spiffe://TD/* (a trust domain is always exact)
16:49: error: service[0].subset[0].allow[1].frm: there is no such key
  help: did you mean `from`?"
    );
    let help = "\n  help: list the SPIFFE IDs that may call";
    assert_eq!(
        subset(service, "allow = []"),
        format!(
            "16:9: warning: service[0].subset[0].allow: no caller is listed: nobody may ask for this subset{help}"
        )
    );
    // Nobody by the service's own names, and somebody by a subset's: said in so many words, it is meant.
    let somebody = "allow = ['spiffe://cluster.local/*']";
    assert_eq!(subset("allow = []\n", somebody), "");
    assert_eq!(
        subset("", somebody),
        format!(
            "8:1: warning: service[0].allow: no caller is listed: nobody may call this service but by its \
             subsets{help}"
        )
    );
    assert_eq!(
        subset("allow = []\n", "allow = []"),
        format!(
            "11:9: warning: service[0].allow: no caller is listed: nobody may call this service{help}\n\
             16:9: warning: service[0].subset[0].allow: no caller is listed: nobody may ask for this subset{help}"
        )
    );
}

#[test]
fn an_alias_stands_in_for_a_grant_of_the_domain_that_is_moved_to() {
    let around = "[[trust]]\ndomain = 'new.example'\nbundle = 'new.pem'";
    let grants = |list: &str| {
        let text = good_service(around).replace("'spiffe://cluster.local/*'", &format!("\n{list}"));
        of(&text)
    };
    let alias =
        |id: &str, of: &str| format!("{{ id = 'spiffe://cluster.local/{id}', alias_of = '{of}' }},\n");
    for id in ["ns/a/sa/b", "ns/a/sa/*", "ns/*/sa/b", "*", "other"] {
        assert_eq!(
            grants(&(alias(id, "new.example") + &format!("'spiffe://new.example/{id}',\n"))),
            "",
            "{id}"
        );
    }
    assert_eq!(
        grants(&(alias("ns/a/sa/b", "new.example") + "'spiffe://new.example/ns/a/sa/*',\n")),
        "12:55: warning: service[0].allow[0].alias_of: no grant of this list names spiffe://new.example/ns/a/sa/b: \
         the alias stands for nobody\n  help: add that grant, or remove alias_of"
    );
    assert_eq!(
        grants(&alias("*", "cluster.local")),
        "12:47: error: service[0].allow[0].alias_of: cluster.local is the trust domain of the id itself\n  \
         help: give the trust domain that it migrates to, or remove alias_of"
    );
    let said = grants(&alias("*", "New.example"));
    assert!(
        said.starts_with("12:47: error: service[0].allow[0].alias_of: \"New.example\" is no trust domain: "),
        "{said}"
    );
    // A mark makes no second grant of it.
    assert_eq!(
        grants(
            &("'spiffe://cluster.local/*',\n".to_owned()
                + &alias("*", "new.example")
                + "'spiffe://new.example/*'")
        ),
        "13:1: warning: service[0].allow[1]: spiffe://cluster.local/* (alias of new.example) is listed already\n  \
         help: remove one of the two"
    );
    // What cannot be read may be the grant that is meant.
    assert!(!grants(&(alias("*", "new.example") + "5")).contains("the alias stands"));
}
