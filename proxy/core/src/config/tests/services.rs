//! Mistakes in services, by their exact words. The lines of a service begin at line 9.

use super::*;

/// What is said of a service with these lines, without what every line has in common.
fn of_service(lines: &str) -> String {
    of(&with_service(lines))
}

/// What is said of a good service with these further lines, which begin at line 13.
fn of_good(lines: &str) -> String {
    of(&good_service(lines))
}

fn of(text: &str) -> String {
    said(text).replace("gateway.toml:", "").replace(" (service h.example)", "")
}

#[test]
fn a_service_has_host_and_port_or_a_name() {
    let rest = "allow = ['spiffe://cluster.local/*']\nendpoints = [{ address = '10.0.0.7:80' }]";
    assert_eq!(
        of_service(rest),
        "8:1: error: service[0].host: missing: a service has host and port, or else a name in sni\n  \
         help: add the host and the port that callers know the service by"
    );
    assert_eq!(
        of_service(&format!("sni = []\n{rest}")),
        "8:1: error: service[0].host: missing: a service has host and port, or else a name in sni\n  \
         help: add the host and the port that callers know the service by"
    );
    assert_eq!(
        of_service(&format!("host = 'h.example'\n{rest}")),
        "8:1: error: service[0].port: missing: host and port go together\n  \
         help: add the port that callers know the service by"
    );
    assert_eq!(
        of_service(&format!("port = 80\nsni = ['h.example']\n{rest}")),
        "8:1: error: service[0].host: missing: host and port go together\n  \
         help: add the host that callers know the service by"
    );
    assert_eq!(of_service(&format!("sni = ['*.h.example']\n{rest}")), "");
}

#[test]
fn a_key_that_is_refused_is_not_missing_too() {
    assert_eq!(of_good(""), "", "the service is good as it is");
    let text = good_service("").replace("port = 80", "port = 0").replace("'10.0.0.7:80'", "1080");
    assert_eq!(
        of(&text),
        "10:8: error: service[0].port: expected a number from 1 to 65535, found 0\n\
         12:26: error: service[0].endpoints[0].address: expected a text in quotes, found 1080"
    );
    let text = "service = 5\ntrust = 5\nidentity = 5";
    assert_eq!(
        of(text),
        "1:11: error: service: expected a list, found 5\n\
         2:9: error: trust: expected a list, found 5\n\
         3:12: error: identity: expected a table, found 5"
    );
}

#[test]
fn names_are_what_tls_can_carry_and_lead_to_one_service_only() {
    let text = good_service(
        "sni = ['a.example', 'A.example', '*.b.example', 'a.*.example', '10.0.0.7', 'outbound_.80_._.h.example']
[[service]]
host = 'H.example'
port = 80
allow = ['spiffe://cluster.local/*']
endpoints = [{ address = '10.0.0.7:80' }]
[[service]]
host = 'h.example'
port = 81
sni = ['*.b.example']
allow = ['spiffe://cluster.local/*']
endpoints = [{ address = '10.0.0.7:80' }]
[[service]]
host = '10.0.0.7'
port = 81",
    );
    let said = of(&text);
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("error")).collect();
    assert_eq!(
        errors,
        [
            "13:21: error: service[0].sni[1]: a.example is listed twice",
            "13:49: error: service[0].sni[3]: \"a.*.example\" is no server name: a server name consists of \
             letters, digits, '-', '_' and '.', and no label begins or ends with '-'",
            "13:64: error: service[0].sni[4]: \"10.0.0.7\" is no server name: the last label of a server name may \
             not be all digits (an address is not a server name)",
            "13:76: error: service[0].sni[5]: outbound_.80_._.h.example leads to this service already",
            "15:8: error: service[1].host: service h.example:80 is configured twice (service H.example)",
            "22:8: error: service[2].sni[0]: *.b.example leads to service h.example:80 already",
            "26:8: error: service[3].host: \"10.0.0.7\" is no host name: the last label of a server name may not \
             be all digits (an address is not a server name) (service 10.0.0.7)",
        ]
    );
}

#[test]
fn a_host_whose_key_is_too_long_for_tls_is_refused() {
    let host = format!("{}.example", vec!["a".repeat(60); 4].join("."));
    let said = of(&good_service("").replace("h.example", &host));
    let expected = "9:8: error: service[0].host: the key of this service cannot be carried by TLS: a server name has \
                    at most 253 bytes (RFC 1035 section 2.3.4)";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn what_needs_an_identity_is_refused_in_passthrough() {
    let text = with_service(
        "sni = ['h.example']
mode = 'passthrough'
allow = []
authorization = 'enforce'
alpn = ['h2']
identity = 'other'
close_on_cert_expiry = true
missing_close_notify = 'fin'
endpoints = [{ address = '10.0.0.7:80' }]
host = 'h.example'
port = 80
[[service.subset]]
name = 'v1'
labels = { version = 'v1' }
allow = []
[identities.other]
directory = 'x'",
    )
    .replace("'10.0.0.7:80'", "'10.0.0.7:80', labels = { version = 'v1' }");
    let help = "help: remove it, or let the gateway terminate TLS";
    let expected = [
        (11, 9, "allow", "the gateway does not see who calls"),
        (12, 17, "authorization", "the gateway does not see who calls"),
        (13, 8, "alpn", "the endpoint selects the protocol"),
        (14, 12, "identity", "the endpoint presents its own certificate"),
        (15, 24, "close_on_cert_expiry", "the gateway does not see the caller's certificate"),
        (16, 24, "missing_close_notify", "the gateway does not see close_notify"),
        (23, 9, "subset[0].allow", "the gateway does not see who calls"),
    ]
    .map(|(line, column, key, why)| {
        format!(
            "{line}:{column}: error: service[0].{key}: cannot be kept with mode = \"passthrough\": {why}\n  {help}"
        )
    });
    assert_eq!(of(&text), expected.join("\n"));
    let defaults = text
        .replace("allow = []\nauthorization = 'enforce'\nalpn = ['h2']\nidentity = 'other'\n", "")
        .replace("true", "false")
        .replace("'fin'", "'reset'")
        .replace("allow = []\n", "");
    assert_eq!(of(&defaults), "");
}

#[test]
fn a_terminating_service_needs_an_identity_and_somebody_to_believe() {
    let text = "[[service]]
sni = ['a.example']
mode = 'passthrough'
endpoints = [{ address = '10.0.0.7:80' }]
[[service]]
host = 'b.example'
port = 80
allow = ['spiffe://cluster.local/*']
endpoints = [{ address = '10.0.0.7:80' }]
";
    assert_eq!(
        of(text),
        "\
5:1: error: identity: missing: service b.example:80 terminates TLS, so the gateway needs a certificate
  help: add [identity] and give certificate and private_key, or directory
5:1: error: trust: missing: service b.example:80 terminates TLS, and no caller can be verified without a trust entry
  help: add a [[trust]] entry with domain and bundle
8:10: warning: service[1].allow[0]: no [[trust]] entry vouches for cluster.local: nobody can match this (service b.example)"
    );
    let empty = of(&format!("[identity]\n{text}"));
    assert!(
        empty.starts_with("1:1: error: identity: missing: service b.example:80 terminates TLS"),
        "{empty}"
    );
    let through = text.split("[[service]]\nhost").next().unwrap();
    assert_eq!(of(through), "");
}

#[test]
fn a_service_that_nobody_may_call_is_warned_of() {
    let none = good_service("").replace("allow = ['spiffe://cluster.local/*']\n", "");
    assert_eq!(
        of(&none),
        "8:1: warning: service[0].allow: no caller is listed: nobody may call this service\n  \
         help: list the SPIFFE IDs that may call"
    );
    let audited = good_service("authorization = 'audit'").replace("'spiffe://cluster.local/*'", "");
    assert_eq!(
        of(&audited),
        "11:9: warning: service[0].allow: no caller is listed: every caller with a valid certificate is let through, \
         and logged as would_deny\n  help: list the SPIFFE IDs that may call"
    );
}

#[test]
fn grants_are_patterns_of_a_domain_that_somebody_vouches_for() {
    let grants = "
  'spiffe://cluster.local/ns/a/sa/b',
  'spiffe://cluster.local/ns/a/sa/b',
  'spiffe://cluster.lcoal/*',
  { id = 'spiffe://other/*', from = 'cluster-1' },
  { id = 'spiffe://cluster.local/*', from = 'cluster1' },
  { from = 'cluster-1' },
  'spiffe://*/ns/a/sa/b',
  5,
";
    let text = good_service("").replace("'spiffe://cluster.local/*'", grants);
    assert_eq!(
        of(&text),
        "\
13:3: warning: service[0].allow[1]: spiffe://cluster.local/ns/a/sa/b is listed already
  help: remove one of the two
14:3: warning: service[0].allow[2]: no [[trust]] entry vouches for cluster.lcoal: nobody can match this
  help: did you mean `cluster.local`?
15:3: warning: service[0].allow[3]: trust entry cluster-1 vouches for cluster.local, not for other: nobody can match this
16:45: error: service[0].allow[4].from: there is no [[trust]] entry named \"cluster1\"
  help: did you mean `cluster-1`?
17:3: error: service[0].allow[5].id: missing
  help: add the SPIFFE ID or pattern that is meant
18:3: error: service[0].allow[6]: \"spiffe://*/ns/a/sa/b\" is no SPIFFE ID or pattern: '*' may stand only for a whole part: spiffe://TD/ns/NS/sa/*, spiffe://TD/ns/*/sa/SA or spiffe://TD/* (a trust domain is always exact)
19:3: error: service[0].allow[7]: expected a SPIFFE ID or pattern in quotes, or { id = \"…\", from = \"…\" }, found 5"
    );
}

#[test]
fn a_trust_entry_that_could_not_be_read_is_not_called_unknown() {
    let text =
        good_service("").replace("bundle = 'ca.pem'", "bundle = 5").replace("/*'", "/*', 'spiffe://x/*'");
    assert_eq!(of(&text), "7:10: error: trust[0].bundle: expected a text in quotes, found 5");
}

#[test]
fn protocols_identity_and_balance_are_held_to_what_there_is() {
    let long = "x".repeat(256);
    assert_eq!(
        of_good(&format!(
            "alpn = ['', '{long}', 'istio-peer-exchange']\nidentity = 'othre'\nbalance = 'round-robin'\n\
             [identities.other]\ndirectory = 'x'"
        )),
        "\
13:9: error: service[0].alpn[0]: a protocol has 1 to 255 bytes (RFC 7301), not 0
13:13: error: service[0].alpn[1]: a protocol has 1 to 255 bytes (RFC 7301), not 256
13:273: error: service[0].alpn[2]: istio-peer-exchange is never selected: the client would wait for a metadata frame that the gateway does not send
  help: remove it
14:12: error: service[0].identity: there is no [identities.othre]
  help: did you mean `other`?
15:11: error: service[0].balance: expected \"least_request\", \"round_robin\", \"random\" or \"source_hash\", found \"round-robin\"
  help: did you mean `round_robin`?"
    );
    assert_eq!(
        of_good("alpn = []"),
        "13:8: error: service[0].alpn: an empty list would refuse every client\n  \
         help: remove alpn to select what is offered"
    );
}

#[test]
fn endpoints_are_addresses_that_can_be_dialled_each_once() {
    let endpoints = "
  { address = '10.0.0.7:80' },
  { address = '10.0.0.7:80', weight = 2 },
  { address = 'B.example:80' },
  { address = 'b.example:80' },
  { address = '10.0.0.7' },
  { address = '2001:db8::7' },
  { address = '2001:db8::7:70000' },
  { address = 'b.example:http' },
  { address = 'b_c..example:80' },
  { address = '0.0.0.0:80' },
  { address = '10.0.0.7:0' },
  { address = '[::1]:15443' },
  { address = '127.0.0.1:15443' },
  { weight = 0, priority = 128, locality = 'a//b' },
  { address = '10.0.0.8:80', labels = { version = 1, track = 'stable' } },
  '10.0.0.9:80',
";
    let text = good_service("")
        .replace(" address = '10.0.0.7:80' ", "}, {")
        .replace("[{}, {}]", &format!("[{endpoints}]"));
    assert_eq!(
        of(&text),
        "\
14:15: error: service[0].endpoints[1].address: 10.0.0.7:80 is an endpoint of this service already
  help: list it once, with a weight if it is to get more
16:15: error: service[0].endpoints[3].address: b.example:80 is an endpoint of this service already
  help: list it once, with a weight if it is to get more
17:15: error: service[0].endpoints[4].address: expected IP:port or host:port, found \"10.0.0.7\"
  help: add the port, as in \"10.0.0.7:80\"
18:15: error: service[0].endpoints[5].address: expected IP:port or host:port, found \"2001:db8::7\"
  help: write an IPv6 address in brackets, with a port: [2001:db8::7]:80
19:15: error: service[0].endpoints[6].address: expected IP:port or host:port, found \"2001:db8::7:70000\"
  help: write an IPv6 address in brackets, as in \"[2001:db8::7]:80\"
20:15: error: service[0].endpoints[7].address: expected IP:port or host:port, found \"b.example:http\"
  help: the port is a number from 1 to 65535
21:15: error: service[0].endpoints[8].address: expected IP:port or host:port, found \"b_c..example:80\"
  help: each label of a server name has 1 to 63 bytes (RFC 1035 section 2.3.4)
22:15: error: service[0].endpoints[9].address: 0.0.0.0:80 is an address to listen at, not one to dial
23:15: error: service[0].endpoints[10].address: nothing can be dialled at port 0 of 10.0.0.7:0
24:15: error: service[0].endpoints[11].address: [::1]:15443 is this gateway's own listener ([::]:15443): connections would go round
  help: give the address of the service behind the gateway
25:15: error: service[0].endpoints[12].address: 127.0.0.1:15443 is this gateway's own listener ([::]:15443): connections would go round
  help: give the address of the service behind the gateway
26:3: error: service[0].endpoints[13].address: missing
  help: add where the endpoint is, such as address = \"10.0.0.7:80\"
26:14: error: service[0].endpoints[13].weight: expected a number from 1 to 1000000, found 0
26:28: error: service[0].endpoints[13].priority: expected a number from 0 to 127, found 128
26:44: error: service[0].endpoints[13].locality: expected \"region\", \"region/zone\" or \"region/zone/subzone\", found \"a//b\"
27:51: error: service[0].endpoints[14].labels.version: expected a text in quotes, found 1
28:3: error: service[0].endpoints[15]: expected a table, found \"10.0.0.9:80\""
    );
}

#[test]
fn a_service_without_endpoints_is_warned_of() {
    let none = good_service("").replace("endpoints = [{ address = '10.0.0.7:80' }]\n", "");
    assert_eq!(
        of(&none),
        "8:1: warning: service[0].endpoints: no endpoint is listed: every connection is refused, with alert 80\n  \
         help: add an endpoint, such as { address = \"10.0.0.7:80\" }"
    );
}

#[test]
fn an_endpoint_may_have_the_port_of_a_listener_elsewhere() {
    let text = good_service("[listener]\naddress = '10.0.0.1:15443'");
    for address in ["127.0.0.1:15443", "10.0.0.7:15443", "[::1]:15443"] {
        assert_eq!(of(&text.replace("10.0.0.7:80", address)), "", "{address}");
    }
    assert!(of(&text.replace("10.0.0.7:80", "10.0.0.1:15443")).contains("own listener"));
    assert!(of(&text.replace("10.0.0.7:80", "[::ffff:10.0.0.1]:15443")).contains("own listener"));
}

#[test]
fn subsets_have_a_name_of_their_own_and_labels_that_some_endpoint_has() {
    let long = "x".repeat(63);
    let text = good_service(&format!(
        "[[service.subset]]
name = 'v1'
labels = {{ version = 'v1' }}
[[service.subset]]
name = 'V1'
labels = {{ version = 'v2' }}
[[service.subset]]
name = 'v1'
labels = {{ }}
[[service.subset]]
name = ''
[[service.subset]]
name = '{long}'
labels = {{ version = 2 }}
[[service.subset]]
labels = {{ track = 'x' }}"
    ))
    .replace("'10.0.0.7:80'", "'10.0.0.7:80', labels = { version = 'v1' }");
    assert_eq!(
        of(&text),
        "\
17:8: error: service[0].subset[1].name: subset \"v1\" has the same name once lower-cased, as it is in the key
  help: give each subset a name of its own
18:10: warning: service[0].subset[1].labels: no endpoint of this service has these labels: every connection to the subset is refused, with alert 80
20:8: error: service[0].subset[2].name: this service has a subset \"v1\" already
  help: give each subset a name of its own
21:10: error: service[0].subset[2].labels: may not be empty
  help: add the labels that an endpoint of the subset has, such as { version = \"v1\" }
22:1: error: service[0].subset[3].labels: missing
  help: add the labels that an endpoint of the subset has, such as { version = \"v1\" }
23:8: error: service[0].subset[3].name: may not be empty: that is the whole service
25:8: error: service[0].subset[4].name: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" makes no key that TLS can carry: each label of a server name has 1 to 63 bytes (RFC 1035 section 2.3.4)
26:22: error: service[0].subset[4].labels.version: expected a text in quotes, found 2
27:1: error: service[0].subset[5].name: missing
  help: add the name by which callers ask for the subset
28:10: warning: service[0].subset[5].labels: no endpoint of this service has these labels: every connection to the subset is refused, with alert 80"
    );
}

#[test]
fn a_subset_needs_a_host_and_port_to_make_its_key_of() {
    let text = good_service("[[service.subset]]\nname = 'v1'\nlabels = { version = 'v1' }")
        .replace("host = 'h.example'\nport = 80", "sni = ['h.example']")
        .replace("'10.0.0.7:80'", "'10.0.0.7:80', labels = { version = 'v1' }");
    assert_eq!(
        of(&text),
        "12:1: error: service[0].subset[0]: a subset is chosen by a key of host and port, and this service has neither\n  \
         help: add host and port to the service, or remove the subset"
    );
}

#[test]
fn tls_to_an_endpoint_is_refused_in_passthrough() {
    let text = with_service(
        "sni = ['h.example']
mode = 'passthrough'
endpoints = [{ address = '10.0.0.7:80' }]
[service.upstream_tls]
server_identities = ['spiffe://cluster.local/*']",
    );
    assert_eq!(
        of(&text),
        "12:1: error: service[0].upstream_tls: cannot be kept with mode = \"passthrough\": the caller's TLS goes on to \
         the endpoint\n  help: remove it, or let the gateway terminate TLS"
    );
}

#[test]
fn tls_to_an_endpoint_says_whom_it_may_prove_to_be() {
    const HELP: &str = "\n  help: list the SPIFFE IDs or patterns that an endpoint may present";
    let cases = [
        ("", format!("13:1: error: service[0].upstream_tls.server_identities: missing{HELP}")),
        (
            "server_identities = []",
            format!(
                "14:21: error: service[0].upstream_tls.server_identities: an empty list would believe no endpoint{HELP}"
            ),
        ),
        (
            "server_identities = ['spiffe://*/a']",
            "14:22: error: service[0].upstream_tls.server_identities[0]: \"spiffe://*/a\" is no SPIFFE ID or pattern: \
             '*' may stand only for a whole part: spiffe://TD/ns/NS/sa/*, spiffe://TD/ns/*/sa/SA or spiffe://TD/* \
             (a trust domain is always exact)"
                .to_owned(),
        ),
        (
            "server_identities = ['spiffe://stranger.example/*']",
            "14:22: warning: service[0].upstream_tls.server_identities[0]: no [[trust]] entry vouches for \
             stranger.example: nobody can match this"
                .to_owned(),
        ),
    ];
    for (keys, expected) in cases {
        assert_eq!(of_good(&format!("[service.upstream_tls]\n{keys}")), expected);
    }
}

#[test]
fn the_name_of_a_service_is_shown_without_what_could_mislead_a_terminal() {
    let text = with_service("host = \"a\\u001b[31m\"\nport = 'x'");
    assert!(said(&text).contains("found \"x\" (service a\\u{1b}[31m)"), "{}", said(&text));
}
