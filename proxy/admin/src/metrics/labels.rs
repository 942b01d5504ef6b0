//! Istio's labels, from what the gateway knows for certain: its configuration, and identities that a
//! policy let in. Never a server name or an address that a stranger chose.

use landbridge::outcome::Flag;
use landbridge::service::{Mode, Service};
use landbridge::spiffe::Identity;

/// How many labels Istio's TCP metrics have.
pub(crate) const SIZE: usize = 23;
/// What is not known, as Istio calls it.
pub(crate) const UNKNOWN: &str = "unknown";
/// What stands for everything beyond a cap.
pub(crate) const OTHER: &str = "other";

/// Istio's labels for TCP, in the order of [`Labels::values`].
pub(crate) const ISTIO: [&str; SIZE] = [
    "reporter",
    "source_workload",
    "source_workload_namespace",
    "source_principal",
    "source_app",
    "source_version",
    "source_cluster",
    "source_canonical_service",
    "source_canonical_revision",
    "destination_workload",
    "destination_workload_namespace",
    "destination_principal",
    "destination_app",
    "destination_version",
    "destination_cluster",
    "destination_service",
    "destination_service_name",
    "destination_service_namespace",
    "destination_canonical_service",
    "destination_canonical_revision",
    "request_protocol",
    "response_flags",
    "connection_security_policy",
];

/// The values of Istio's labels for one caller and one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Labels {
    mode: Mode,
    source: Source,
    /// The cluster that the gateway is in.
    cluster: String,
    host: String,
    name: String,
    namespace: String,
}

/// What is known of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    account: String,
    namespace: String,
    principal: String,
    trust: String,
}

impl Labels {
    /// For a caller, where the gateway saw one, of a service; `cluster` is the gateway's own.
    pub(crate) fn of(caller: Option<&Identity>, service: &Service, cluster: &str) -> Self {
        let source = caller.map_or_else(|| Source::all(UNKNOWN), Source::of);
        // A service that is known by names alone is called by the first.
        let host = service.host().map_or(&*service.name, |(host, _)| host);
        let (name, namespace) = match kubernetes(host) {
            Some((name, namespace)) => (name, namespace),
            None => (host, UNKNOWN),
        };
        let cluster = if cluster.is_empty() { UNKNOWN } else { cluster };
        Self {
            mode: service.mode,
            source,
            cluster: cluster.to_owned(),
            host: host.to_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    /// How the service is served.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The same service, and any caller.
    pub(crate) fn without_caller(&self) -> Self {
        Self { source: Source::all(OTHER), ..self.clone() }
    }

    /// Any caller of any service of the same mode.
    pub(crate) fn without_service(&self) -> Self {
        Self {
            host: OTHER.to_owned(),
            name: OTHER.to_owned(),
            namespace: OTHER.to_owned(),
            ..self.without_caller()
        }
    }

    /// Every value, in the order of [`ISTIO`].
    pub(crate) fn values(&self, flag: Flag) -> [&str; SIZE] {
        let source = &self.source;
        // A passed-through connection is reported by the proxies at its ends, if by any: under a
        // reporter of its own it is not counted twice.
        let (reporter, security) = match self.mode {
            Mode::Terminate => ("destination", "mutual_tls"),
            Mode::Passthrough => ("gateway", UNKNOWN),
        };
        [
            reporter,
            &source.account,
            &source.namespace,
            &source.principal,
            UNKNOWN,
            UNKNOWN,
            &source.trust,
            &source.account,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            UNKNOWN,
            &self.cluster,
            &self.host,
            &self.name,
            &self.namespace,
            &self.name,
            UNKNOWN,
            "tcp",
            flag.as_str(),
            security,
        ]
    }
}

impl Source {
    fn of(identity: &Identity) -> Self {
        let workload = identity.id.workload();
        let known = |part: Option<&str>| part.unwrap_or(UNKNOWN).to_owned();
        Self {
            account: known(workload.map(|workload| workload.service_account)),
            namespace: known(workload.map(|workload| workload.namespace)),
            principal: identity.id.as_str().to_owned(),
            trust: identity.trust.as_str().to_owned(),
        }
    }

    fn all(value: &str) -> Self {
        let value = value.to_owned();
        Self { account: value.clone(), namespace: value.clone(), principal: value.clone(), trust: value }
    }
}

/// Name and namespace of a Kubernetes service: `NAME.NAMESPACE.svc`, with or without a domain.
fn kubernetes(host: &str) -> Option<(&str, &str)> {
    let mut parts = host.split('.');
    match (parts.next()?, parts.next()?, parts.next()?) {
        (name, namespace, "svc") if !name.is_empty() && !namespace.is_empty() => Some((name, namespace)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use landbridge::policy::Policy;
    use landbridge::spiffe::{SpiffeId, TrustName};

    use super::*;
    use crate::metrics::testing::service;

    fn value(labels: &Labels, name: &str) -> String {
        let place = ISTIO.iter().position(|label| *label == name).unwrap();
        labels.values(Flag::Dn)[place].to_owned()
    }

    #[test]
    fn a_verified_caller_of_a_kubernetes_service_has_its_names_in_istio_s_labels() {
        let id = SpiffeId::parse("spiffe://cluster.local/ns/shop/sa/cart").unwrap();
        let caller = Identity { trust: TrustName::new("cluster-1"), id };
        let service = service("httpbin.default.svc.cluster.local", Mode::Terminate);
        let labels = Labels::of(Some(&caller), &service, "cluster-2");
        for (label, expected) in [
            ("reporter", "destination"),
            ("source_workload", "cart"),
            ("source_workload_namespace", "shop"),
            ("source_principal", "spiffe://cluster.local/ns/shop/sa/cart"),
            ("source_cluster", "cluster-1"),
            ("source_version", "unknown"),
            ("destination_cluster", "cluster-2"),
            ("destination_service", "httpbin.default.svc.cluster.local"),
            ("destination_service_name", "httpbin"),
            ("destination_service_namespace", "default"),
            ("destination_workload", "unknown"),
            ("request_protocol", "tcp"),
            ("response_flags", "DN"),
            ("connection_security_policy", "mutual_tls"),
        ] {
            assert_eq!(value(&labels, label), expected, "{label}");
        }
    }

    #[test]
    fn what_the_gateway_did_not_see_is_unknown_and_reported_apart() {
        let mut service = service("db.example.com", Mode::Passthrough);
        service.policy = Policy::EndpointDecides;
        let labels = Labels::of(None, &service, "");
        for (label, expected) in [
            ("reporter", "gateway"),
            ("source_principal", "unknown"),
            ("source_cluster", "unknown"),
            ("destination_cluster", "unknown"),
            ("destination_service", "db.example.com"),
            ("destination_service_name", "db.example.com"),
            ("destination_service_namespace", "unknown"),
            ("connection_security_policy", "unknown"),
        ] {
            assert_eq!(value(&labels, label), expected, "{label}");
        }
    }

    #[test]
    fn beyond_a_cap_first_the_caller_goes_then_the_service() {
        let labels = Labels::of(None, &service("a.b.svc", Mode::Terminate), "c");
        assert_eq!(value(&labels.without_caller(), "source_principal"), "other");
        assert_eq!(value(&labels.without_caller(), "destination_service"), "a.b.svc");
        assert_eq!(value(&labels.without_service(), "source_principal"), "other");
        assert_eq!(value(&labels.without_service(), "destination_service_name"), "other");
        assert_eq!(value(&labels.without_service(), "destination_cluster"), "c");
    }
}
