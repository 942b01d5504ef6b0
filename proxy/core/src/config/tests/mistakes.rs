//! Mistakes in the file as a whole and outside of services, by their exact words.

use super::*;

#[test]
fn an_unknown_key_is_told_with_the_one_that_was_probably_meant() {
    assert_eq!(
        said("[timeouts]\nclient_helo = '5s'\n"),
        "gateway.toml:2:1: error: timeouts.client_helo: there is no such key\n  help: did you mean `client_hello`?"
    );
    assert_eq!(
        said("[[services]]\nhost = 'a.b'\n"),
        "gateway.toml:1:3: error: services: there is no such key\n  help: did you mean `service`?"
    );
    assert_eq!(
        said("[tls]\nciphers = 'all'\n"),
        "gateway.toml:2:1: error: tls.ciphers: there is no such key\n  help: the keys here are: min, resumption"
    );
    assert_eq!(
        said("\"a b\".\"c.d\" = 1\n"),
        "gateway.toml:1:1: error: \"a b\": there is no such key\n  help: the keys here are: node, listener, tls, \
         identity, identities, trust, service, endpoints, timeouts, limits, runtime, control, health, metrics, \
         admin, log"
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_in_the_order_of_the_file() {
    let text = "
[[service]]
host = 'httpbin.example'
port = 'http'
mode = 'terminat'
allow = [ 'spiffe://cluster.local/*', { id = 'sleep', form = 'x' } ]
endpoints = [ { address = '10.0.0.7', wieght = 2 } ]
[timeouts]
idle = 5
[[trust]]
domain = 'cluster.local'
";
    assert_eq!(
        said(text),
        "\
gateway.toml:4:8: error: service[0].port: expected a number from 1 to 65535, found \"http\" (service httpbin.example)
gateway.toml:5:8: error: service[0].mode: expected \"terminate\" or \"passthrough\", found \"terminat\" (service httpbin.example)
  help: did you mean `terminate`?
gateway.toml:6:46: error: service[0].allow[1].id: \"sleep\" is no SPIFFE ID or pattern: a SPIFFE ID begins with \"spiffe://\", in lower case (service httpbin.example)
gateway.toml:6:55: error: service[0].allow[1].form: there is no such key (service httpbin.example)
  help: did you mean `from`?
gateway.toml:7:27: error: service[0].endpoints[0].address: expected IP:port or host:port, found \"10.0.0.7\" (service httpbin.example)
  help: add the port, as in \"10.0.0.7:80\"
gateway.toml:7:39: error: service[0].endpoints[0].wieght: there is no such key (service httpbin.example)
  help: did you mean `weight`?
gateway.toml:9:8: error: timeouts.idle: expected a duration such as \"250ms\", \"5s\", \"1h\" or \"off\", found 5
gateway.toml:10:1: error: trust[0].bundle: missing
  help: add the file with the roots of that mesh, such as bundle = \"roots.pem\""
    );
}

#[test]
fn a_text_that_is_not_toml_is_told_by_line_and_column_wherever_the_parser_recovers() {
    assert_eq!(
        said("a = \n[listener]\naddress = '[::]:1\n[tls]\nmin = '1.3'\nmin = '1.2'\n"),
        "gateway.toml:1:5: error: string values must be quoted, expected literal string\n\
         gateway.toml:3:18: error: invalid literal string, expected `'`\n\
         gateway.toml:6:1: error: `min` is written twice\n  help: keep one of the two"
    );
    assert_eq!(said("[timeouts\nidle = '5s'\n"), "gateway.toml:1:10: error: unclosed table, expected `]`");
    assert_eq!(
        said("ü = 1 # ü\n'ü"),
        "gateway.toml:1:1: error: invalid unquoted key, expected letters, numbers, `-`, `_`\n\
         gateway.toml:2:3: error: key with no value, expected `=`\n\
         gateway.toml:2:3: error: invalid literal string, expected `'`"
    );
}

#[test]
fn many_errors_of_syntax_are_told_in_part_and_counted() {
    let problems = parsed(&"x\n".repeat(500)).unwrap_err();
    assert_eq!(problems.len(), 101);
    let last = problems.iter().last().unwrap().to_string();
    assert_eq!(last, "gateway.toml:501:1: error: and 400 more errors like these\n  help: is this file TOML?");
}

#[test]
fn a_value_of_another_kind_is_told_with_what_was_found() {
    let cases = [
        ("tls = 5", "gateway.toml:1:7: error: tls: expected a table, found 5"),
        (
            "[[tls]]\nmin = '1.2'",
            "gateway.toml:1:1: error: tls: expected a table, found a list\n  \
             help: there is one of these only: write its name in single brackets: [name]",
        ),
        (
            "[service]\nport = 1",
            "gateway.toml:1:1: error: service: expected a list, found a table\n  \
             help: write a list in [ ], or the table's name in double brackets for each entry: [[name]]",
        ),
        (
            "tls.min = 1.3",
            "gateway.toml:1:11: error: tls.min: expected \"1.2\" or \"1.3\", found 1.3\n  help: write it in quotes: \"1.3\"",
        ),
        (
            "tls.resumption = 'no'",
            "gateway.toml:1:18: error: tls.resumption: expected true or false, found \"no\"",
        ),
        (
            "node.id = 1979-05-27",
            "gateway.toml:1:11: error: node.id: expected a text in quotes, found 1979-05-27",
        ),
        ("node.id = [1]", "gateway.toml:1:11: error: node.id: expected a text in quotes, found a list"),
        (
            "endpoints.allow_cidrs = '10.0.0.0/8'",
            "gateway.toml:1:25: error: endpoints.allow_cidrs: expected a list, found \"10.0.0.0/8\"\n  \
             help: write a list: [\"10.0.0.0/8\"]",
        ),
        (
            "listener.address = 15443",
            "gateway.toml:1:20: error: listener.address: expected a text in quotes, or a list of them, found 15443",
        ),
        (
            "log.format = 'Text'",
            "gateway.toml:1:14: error: log.format: expected \"text\" or \"json\", found \"Text\"\n  help: did you mean `text`?",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(text), expected);
    }
}

#[test]
fn a_number_out_of_bounds_is_told_with_the_bounds() {
    let cases = [
        (
            "limits.client_hello_bytes = 511",
            "511",
            "client_hello_bytes: expected a number from 512 to 65536",
            29,
        ),
        (
            "limits.client_hello_bytes = 0xffffffffffffffffffff",
            "0xffffffffffffffffffff",
            "client_hello_bytes: expected a number from 512 to 65536",
            29,
        ),
        ("limits.connections = 0", "0", "connections: expected \"auto\" or a number of at least 1", 22),
        ("limits.handshakes = -1", "-1", "handshakes: expected \"auto\" or a number of at least 1", 21),
        ("limits.handshakes = 1e3", "1e3", "handshakes: expected \"auto\" or a number of at least 1", 21),
        (
            "limits.per_source = 'none'",
            "\"none\"",
            "per_source: expected \"off\" or a number of at least 1",
            21,
        ),
    ];
    for (text, found, message, column) in cases {
        assert_eq!(said(text), format!("gateway.toml:1:{column}: error: limits.{message}, found {found}"));
    }
    assert_eq!(
        said("runtime.workers = '4'"),
        "gateway.toml:1:19: error: runtime.workers: expected \"auto\" or a number from 1 to 1024, found \"4\"\n  \
         help: write the number without quotes: 4"
    );
}

#[test]
fn durations_are_held_to_their_bounds_and_to_one_another() {
    let text = "[timeouts]
drain = '2s'
connect = '20s'
idle = '0s'
flush = '5'
keepalive = '10h'
user_timeout = '100us'
client_hello = '1000000000y'
";
    assert_eq!(
        said(text),
        "\
gateway.toml:2:9: error: timeouts.drain: drain_lag (5s) is a part of drain (2s) and cannot be longer
  help: shorten drain_lag or lengthen drain
gateway.toml:3:11: warning: timeouts.connect: connect (20s) is longer than connect_total (10s), which ends every try before that
gateway.toml:4:8: error: timeouts.idle: a duration of zero would be over at once
  help: write \"off\" for no limit
gateway.toml:5:9: error: timeouts.flush: expected a duration such as \"250ms\", \"5s\", \"1h\" or \"off\", found \"5\"
  help: time unit needed, for example 5sec or 5ms
gateway.toml:6:13: error: timeouts.keepalive: expected a duration from 1s to 9h, found \"10h\"
gateway.toml:7:16: error: timeouts.user_timeout: expected a duration from 1ms to 24days, found \"100us\"
gateway.toml:8:16: error: timeouts.client_hello: expected a duration of at most 10years, found \"1000000000y\""
    );
    let unread = said("[timeouts]\ndrain = 'x'\ndrain_lag = '1h'");
    assert!(!unread.contains("drain_lag"), "{unread}");
}

#[test]
fn listeners_do_not_share_an_address() {
    let text = "[listener]
address = ['[::]:1', '[::]:1', 'localhost:1']
[health]
address = '[::]:1'
[metrics]
address = '127.0.0.1:15000'
[admin]
address = '/run/admin.sock'
";
    assert_eq!(
        said(text),
        "\
gateway.toml:2:22: error: listener.address[1]: [::]:1 is listed twice
  help: remove one of the two
gateway.toml:2:32: error: listener.address[2]: expected an address such as \"[::]:15443\" or \"0.0.0.0:15443\", found \"localhost:1\"
gateway.toml:4:11: error: health.address: [::]:1 is the address of [listener] too
  help: give [health] another port
gateway.toml:8:11: error: admin.address: expected an address such as \"127.0.0.1:15000\", or \"unix:/path\", found \"/run/admin.sock\""
    );
    assert_eq!(
        said("metrics.address = '[::]:15021'\nlistener.address = []"),
        "gateway.toml:1:19: error: metrics.address: [::]:15021 is the address of [health] too\n  \
         help: give [metrics] another port\n\
         gateway.toml:2:20: error: listener.address: expected at least one address, found none"
    );
}

#[test]
fn an_identity_is_two_files_or_a_directory() {
    let text = "
identities.half.certificate = 'a'
identities.none = {}
[identity]
certificate = 'a'
directory = ''
";
    assert_eq!(
        said(text),
        "\
gateway.toml:2:12: error: identities.half.private_key: missing: certificate is of no use without it
gateway.toml:3:19: error: identities.none: there is no certificate here
  help: give certificate and private_key, or directory
gateway.toml:6:13: error: identity.directory: expected a path, found \"\"
gateway.toml:6:13: error: identity.directory: directory stands beside certificate or private_key
  help: keep either the two files or the directory"
    );
}

#[test]
fn trust_entries_have_a_domain_a_bundle_and_a_name_of_their_own() {
    let text = "
[[trust]]
[[trust]]
domain = 'Cluster.local'
bundle = ''
[[trust]]
domain = 'b'
bundle = 'c'
[[trust]]
domain = 'b'
bundle = 'c'
[[trust]]
name = 'b'
domain = 'c'
bundle = 'c'
";
    assert_eq!(
        said(text),
        "\
gateway.toml:2:1: error: trust[0].domain: missing
  help: add the trust domain of the mesh, such as domain = \"cluster.local\"
gateway.toml:2:1: error: trust[0].bundle: missing
  help: add the file with the roots of that mesh, such as bundle = \"roots.pem\"
gateway.toml:4:10: error: trust[1].domain: \"Cluster.local\" is no trust domain: a trust domain consists of lower-case letters, digits, '.', '-' and '_'
gateway.toml:5:10: error: trust[1].bundle: expected a path, found \"\"
gateway.toml:9:1: error: trust[3].name: \"b\" is the name of trust[2] already
  help: give each entry a name of its own; several may share a domain
gateway.toml:13:8: error: trust[4].name: \"b\" is the name of trust[2] already
  help: give each entry a name of its own; several may share a domain"
    );
}

#[test]
fn a_stream_needs_servers_that_can_be_told_and_a_place_for_what_is_kept() {
    let said = |text: &str| said(&format!("[control]\n{text}"));
    let help = "\n  help: list the SPIFFE IDs of the servers, such as server_identities = [\"spiffe://cluster.local/ns/istio-system/sa/control\"]";
    assert_eq!(
        said("servers = ['https://c.example']"),
        format!(
            "gateway.toml:1:1: error: control.server_identities: missing: whoever answered could decide who may call{help}\n\
             gateway.toml:1:1: error: control.snapshot: missing: without it a restart would need a server to serve anything\n  \
             help: name a file in a folder that survives a restart"
        )
    );
    assert_eq!(said("servers = ['http://localhost:1', 'unix:run/control.sock']\nsnapshot = 'x'"), "");
    let expected = "expected a URL such as \"https://control.example:15010\", \"http://localhost:15010\" or \"unix:/path\", found";
    for url in [
        "c.example:15010",
        "https://",
        "https://c.example:0",
        "https://c.example/path",
        "https://[::1",
        "ftp://c.example",
    ] {
        let lines = said(&format!("servers = ['{url}']\nsnapshot = 'x'"));
        assert_eq!(lines, format!("gateway.toml:2:12: error: control.servers[0]: {expected} {url:?}"));
    }
    assert_eq!(
        said("servers = ['http://c.example']\nsnapshot = 'x'"),
        "gateway.toml:2:12: error: control.servers[0]: \"http://c.example\" leads to another machine without TLS\n  \
         help: use https://, or http:// with localhost"
    );
    assert_eq!(
        said("servers = ['unix:x']\nsnapshot = 'x'\nvia = 'c.example'"),
        "gateway.toml:4:7: error: control.via: expected host:port, and \"c.example\" has no port"
    );
}

#[test]
fn whoever_may_speak_for_clients_must_be_said() {
    const HELP: &str =
        "\n  help: list the addresses of the load balancers, such as proxy_protocol_from = [\"10.0.0.0/8\"]";
    let cases = [
        ("proxy_protocol = 'required'", format!("1:1: error: listener.proxy_protocol_from: missing{HELP}")),
        (
            "proxy_protocol = 'required'\nproxy_protocol_from = []",
            format!("3:23: error: listener.proxy_protocol_from: expected at least one range, found none{HELP}"),
        ),
        (
            "proxy_protocol = 'required'\nproxy_protocol_from = ['10.0.0.0/33']",
            "3:24: error: listener.proxy_protocol_from[0]: expected a range such as \"10.0.0.0/8\": \
             the prefix must be a number from 0 to 32"
                .to_owned(),
        ),
        (
            "proxy_protocol = 'required'\nproxy_protocol_from = ['10.0.0.0/8', '::/0']",
            "3:23: warning: listener.proxy_protocol_from: whoever can connect may claim to be any client\n  \
             help: list the addresses of the load balancers only"
                .to_owned(),
        ),
        (
            "proxy_protocol_from = ['10.0.0.0/8', 'x']",
            "2:23: warning: listener.proxy_protocol_from: has no effect without proxy_protocol = \"required\"\n\
             gateway.toml:2:38: error: listener.proxy_protocol_from[1]: expected a range such as \"10.0.0.0/8\": \
             \"x\" is not an IP address"
                .to_owned(),
        ),
        (
            "proxy_protocol = 'on'\nproxy_protocol_from = ['10.0.0.0/8']",
            "2:18: error: listener.proxy_protocol: expected \"off\" or \"required\", found \"on\"".to_owned(),
        ),
    ];
    for (text, expected) in cases {
        let service = good_service("");
        let lines = said(&format!("[listener]\n{text}\n{service}"));
        assert_eq!(lines, format!("gateway.toml:{expected}"), "{text}");
    }
}

#[test]
fn keys_of_the_control_stream_have_no_effect_without_servers() {
    assert_eq!(
        said(&good_service("[control]\nsnapshot = 'x'\nmay = ['trust', 'servce']\nserver_identities = ['x']")),
        "\
gateway.toml:14:12: warning: control.snapshot: has no effect without control.servers
gateway.toml:15:7: warning: control.may: has no effect without control.servers
gateway.toml:15:17: error: control.may[1]: expected \"service\", \"endpoints\", \"policy\", \"trust\", \"audit\" or \"passthrough\", found \"servce\"
  help: did you mean `service`?
gateway.toml:16:21: warning: control.server_identities: has no effect without control.servers"
    );
}

#[test]
fn small_things_have_their_words_too() {
    let cases = [
        ("log.level = ' '", "gateway.toml:1:13: error: log.level: may not be empty"),
        (
            "log.access = ''",
            "gateway.toml:1:14: error: log.access: expected \"stdout\", \"stderr\", \"off\" or the path of a file, found \"\"",
        ),
        ("node.id = ''", "gateway.toml:1:11: error: node.id: may not be empty"),
        (
            "endpoints.allow_cidrs = ['10.0.0.1/8']",
            "gateway.toml:1:26: error: endpoints.allow_cidrs[0]: expected a range such as \"10.0.0.0/8\": \
             \"10.0.0.1/8\" has bits set beyond its prefix of 8",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(said(text), expected);
    }
}

#[test]
fn problems_say_the_same_to_programs() {
    let problems = parsed("[timeouts]\nclient_helo = '5s'\n").unwrap_err();
    let values: Vec<(usize, usize, &str, Severity)> = problems
        .iter()
        .map(|problem| (problem.line, problem.column, problem.key.as_str(), problem.severity))
        .collect();
    assert_eq!(values, [(2, 1, "timeouts.client_helo", Severity::Error)]);
    assert_eq!((problems.len(), problems.errors()), (1, 1));
}
