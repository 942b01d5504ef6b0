//! The default configuration: as a file, and as what is meant without one.

use super::*;

#[test]
fn the_default_file_means_what_an_empty_one_does() {
    let written = parsed(DEFAULT).unwrap_or_else(|problems| panic!("{problems}"));
    let absent = parsed("").unwrap();
    assert_eq!(written.config, absent.config);
    let said: Vec<&str> = written.warnings.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(said, ["there is no service, so nothing is served"]);
}

#[test]
fn what_the_default_file_has_in_comments_can_be_used_as_it_stands() {
    let config = meant(&uncommented());
    assert_eq!(config.gateway.node.id.as_deref(), Some("eastwest-0"));
    assert!(config.identity.own.is_some() && config.identity.named.contains_key("other"));
    let [trust] = config.trust.as_slice() else { panic!("{:?}", config.trust) };
    assert!(trust.crl.is_some());
    let [service] = config.services.sorted()[..] else { panic!("{:?}", config.services) };
    assert_eq!((service.endpoints.len(), service.subsets.len()), (2, 1));
    let default = parsed("").unwrap().config;
    assert_eq!(config.gateway.timeouts, default.gateway.timeouts);
    assert_eq!(config.process, default.process);
}

/// The default file with every example in it used. A line of prose has a space behind its `#`.
fn uncommented() -> String {
    let used = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.is_empty() && (!rest.starts_with(' ') || rest.starts_with("  ")) => {
            format!("{rest}\n")
        }
        _ => format!("{line}\n"),
    };
    DEFAULT.lines().map(used).collect()
}
