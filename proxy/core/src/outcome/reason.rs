//! The closed set of ways in which a connection ends or is refused.

use std::fmt;

use super::{Blame, Flag};

/// Defines [`Reason`] as one table, so that a reason can't miss one of its facts.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident: $flag:ident $blame:ident $kind:ident $word:literal $alert:expr, $hint:literal;)+) => {
        /// How a connection ended, or why it was refused.
        ///
        /// The word is what log, metric label and documentation call it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason { $($(#[doc = $doc])+ $name,)+ }

        impl Reason {
            /// Every reason, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word for it, as in `refusal` of the access log.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// The response flag.
            pub fn flag(self) -> Flag {
                match self { $(Self::$name => Flag::$flag,)+ }
            }

            /// Who is to blame.
            pub fn blame(self) -> Blame {
                match self { $(Self::$name => Blame::$blame,)+ }
            }

            /// Whether the connection was refused before a byte of it could reach an endpoint.
            pub fn refusal(self) -> bool {
                match self { $(Self::$name => reasons!(@refusal $kind),)+ }
            }

            /// The TLS alert (RFC 8446 section 6) that tells the client, where one can.
            pub fn alert(self) -> Option<u8> {
                match self { $(Self::$name => $alert,)+ }
            }

            /// What to do about it; empty where there is nothing to do.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)+ }
            }
        }
    };
    (@refusal Refusal) => { true };
    (@refusal End) => { false };
}

reasons! {
    /// Both directions ended cleanly.
    Done: Fine Nobody End "done" None, "";

    /// The client closed without sending a byte, as load balancers probe. Counted, not logged.
    Probe: Dc Downstream Refusal "probe" None, "";
    /// The connection comes from nobody who may speak the PROXY protocol, which is required.
    ProxySource: Dpe Downstream Refusal "proxy_source_forbidden" None,
        "the listener serves load balancers only: connect through one, or add its address to listener.proxy_protocol_from";
    /// The connection does not begin with a PROXY header, which is required, or with a broken one.
    ProxyHeader: Dpe Downstream Refusal "bad_proxy_header" None,
        "let the load balancer in front send PROXY v1 or v2 over TCP before any other byte (docs/proxy-protocol.md)";
    /// The first bytes were not TLS.
    NotTls: Dpe Downstream Refusal "not_tls" Some(50),
        "the client does not speak TLS to this port; is it plain HTTP, a health check meant for port 15021, or a load balancer's PROXY header (listener.proxy_protocol)?";
    /// The ClientHello is larger than the cap.
    HelloTooLarge: Dpe Downstream Refusal "client_hello_too_large" Some(50),
        "raise limits.client_hello_bytes if a real client sends this";
    /// The ClientHello can't be decoded.
    HelloMalformed: Dpe Downstream Refusal "client_hello_malformed" Some(50),
        "the client, or something between, sends broken TLS";
    /// No TLS version in common.
    Version: Dpe Downstream Refusal "tls_version" Some(70),
        "the client offers only older TLS; update it, or set tls.min = \"1.2\" for a TLS 1.2 client";
    /// No cipher suite, group or signature scheme in common.
    NoCommon: Dpe Downstream Refusal "no_common_algorithm" Some(40),
        "compare the client's cipher suites, groups and signature schemes with docs/routing.md";
    /// The client offered no application protocol that the service lists.
    AlpnMismatch: Dpe Downstream Refusal "alpn" Some(120),
        "the service sets alpn, and the client offers none of it";
    /// The handshake broke off, or the client answered with an alert.
    HandshakeBroken: Dpe Downstream Refusal "handshake_broken" None,
        "if the client sent an alert, it distrusts this gateway: see the three answers to the SAN check in the README";
    /// The client closed in the middle of the handshake.
    HandshakeClosed: Dc Downstream Refusal "closed_in_handshake" None, "";
    /// The client reset in the middle of the handshake.
    HandshakeReset: Dr Downstream Refusal "reset_in_handshake" None, "";
    /// No complete ClientHello in time.
    HelloTimeout: Ht Downstream Refusal "client_hello_timeout" None,
        "the client connects and does not speak, or very slowly";
    /// The handshake was not finished in time.
    HandshakeTimeout: Ht Downstream Refusal "handshake_timeout" None,
        "the client began a handshake and did not finish it";

    /// The ClientHello names no server.
    NoSni: Nr Downstream Refusal "no_sni" Some(112),
        "the client must name the service in its SNI, as in outbound_.8000_._.httpbin.default.svc.cluster.local";
    /// The server name breaks the rules of host names.
    SniInvalid: Nr Downstream Refusal "bad_sni" Some(47),
        "the server name is not a DNS name (RFC 6066 section 3)";
    /// No service answers to the server name.
    SniUnknown: Nr Downstream Refusal "no_route" Some(112),
        "no [[service]] has this name; compare host, port and subset with the configuration, to the letter";
    /// The service has no endpoint, or none that can be used now.
    NoEndpoint: Uh Upstream Refusal "no_healthy_endpoint" Some(80),
        "the service has no endpoint, or all of its endpoints failed a moment ago";

    /// The client presented no certificate.
    NoClientCert: An Downstream Refusal "no_client_cert" Some(116),
        "the service terminates mutual TLS: the client must present a certificate with a SPIFFE ID";
    /// The certificate's path ends in no anchor of the bundle of its trust domain.
    CertUntrusted: An Downstream Refusal "cert_untrusted" Some(48),
        "add the client's CA to the bundle of its [[trust]] entry, or the missing intermediate to the client's chain";
    /// The certificate is of one trust domain and signed by the CA of another.
    WrongBundle: An Downstream Refusal "wrong_trust_domain" Some(48),
        "a CA of another [[trust]] entry signed this identity; a CA may vouch only for its own trust domain";
    /// No `[[trust]]` entry has the certificate's trust domain.
    UnknownTrustDomain: An Downstream Refusal "unknown_trust_domain" Some(48),
        "add a [[trust]] entry for the client's trust domain";
    /// A certificate of the path has expired.
    CertExpired: An Downstream Refusal "cert_expired" Some(45),
        "the client's certificate, or an intermediate, has expired; is its rotation stuck, or a clock wrong?";
    /// A certificate of the path is not valid yet.
    CertNotYetValid: An Downstream Refusal "cert_not_yet_valid" Some(45),
        "the client's certificate is not valid yet; compare the clocks";
    /// A certificate of the path is revoked.
    CertRevoked: An Downstream Refusal "cert_revoked" Some(44),
        "the certificate is on the CRL of its [[trust]] entry";
    /// The CRL does not say whether a certificate of the path is revoked, or is out of date.
    RevocationUnknown: An Local Refusal "revocation_unknown" Some(48),
        "renew the CRL of the [[trust]] entry: it is out of date, or not signed by the issuer of this path";
    /// The certificate has no URI SAN, or more than one.
    NotOneUri: An Downstream Refusal "not_one_uri" Some(49),
        "a certificate must carry exactly one URI SAN, its SPIFFE ID (X509-SVID section 2)";
    /// The URI SAN is not the SPIFFE ID of a workload.
    BadSpiffeId: An Downstream Refusal "bad_spiffe_id" Some(49),
        "the URI SAN must be a SPIFFE ID of a workload, such as spiffe://cluster.local/ns/default/sa/sleep";
    /// The leaf certificate is a CA, or may sign certificates or CRLs.
    LeafIsCa: An Downstream Refusal "leaf_is_ca" Some(49),
        "a workload's certificate may not be a CA (X509-SVID section 5.2)";
    /// The leaf certificate's key usage lacks digitalSignature.
    KeyUsage: An Downstream Refusal "key_usage" Some(49),
        "a workload's certificate must have key usage digitalSignature (X509-SVID section 4.3)";
    /// The leaf certificate's extended key usage excludes client authentication.
    ExtendedKeyUsage: An Downstream Refusal "extended_key_usage" Some(43),
        "the client's certificate must allow clientAuth";
    /// A signature of the path or of the handshake does not verify, or its algorithm is not supported.
    BadSignature: An Downstream Refusal "bad_signature" Some(51),
        "the client does not hold the key of its certificate, or uses an algorithm that is not supported";
    /// A certificate can't be decoded.
    CertMalformed: An Downstream Refusal "cert_malformed" Some(42),
        "a certificate of the client's chain cannot be decoded or has an unknown critical extension";
    /// The path breaks another rule: too long, too costly, a name constraint.
    CertPath: An Downstream Refusal "cert_path" Some(46),
        "the path is too long or too costly, or a CA has name constraints (those on URIs are not supported: have the CA issued without them)";
    /// No grant allows the caller.
    Denied: Az Downstream Refusal "denied_by_policy" Some(49),
        "add the identity to the service's allow list, if it is meant to call";

    /// The endpoints refused the connection.
    ConnectRefused: Uf Upstream Refusal "connect_refused" None,
        "nothing listens on the endpoint's port; compare the configured address with the pod's";
    /// The endpoints did not answer in time.
    ConnectTimeout: Uf Upstream Refusal "connect_timeout" None,
        "the endpoint does not answer; a network policy, a dead node or a wrong address?";
    /// Connecting failed in another way.
    ConnectFailed: Uf Upstream Refusal "connect_failed" None,
        "see upstream_transport_failure_reason";
    /// The endpoints did not prove to be whom the service expects.
    UpstreamAuth: Uf Upstream Refusal "upstream_auth" None,
        "see upstream_transport_failure_reason; compare the endpoint's SPIFFE ID with server_identities, and its CA with [[trust]]";
    /// The TLS handshake with the endpoints failed.
    UpstreamHandshake: Uf Upstream Refusal "upstream_handshake" None,
        "see upstream_transport_failure_reason; does the endpoint speak TLS on this port, and believe the gateway's CA?";

    /// The connection limit is reached.
    ConnectionLimit: Cl Local Refusal "limit_reached" None,
        "raise limits.connections, or add replicas";
    /// The source has as many connections as one may have.
    SourceLimit: Cl Downstream Refusal "source_limit" None,
        "raise limits.per_source, if many clients share this address";
    /// The identity has as many connections as one may have.
    IdentityLimit: Cl Downstream Refusal "identity_limit" None,
        "raise limits.per_identity, if this caller is meant to have so many connections";
    /// The service has as many connections as one may have.
    ServiceLimit: Uo Upstream Refusal "service_limit" Some(80),
        "raise limits.per_service, if the service's endpoints can take more";
    /// More connections came in a second than may.
    RateLimit: Rl Downstream Refusal "rate_limited" None,
        "raise limits.per_second, or find out who reconnects so often";
    /// Too many handshakes are in flight, or too many silent connections.
    HandshakeLimit: Om Local Refusal "handshakes_in_flight" None,
        "too many connections at once that do not finish their handshake; raise limits.handshakes, or add CPU or replicas";
    /// Memory is short, so nothing more is taken on.
    Overload: Om Local Refusal "overload" None,
        "memory is nearly used up: add memory or replicas, or lower limits.connections";

    /// The client's TLS stream ended without close_notify.
    Truncated: Tr Downstream End "truncated" None,
        "the client's side was cut without close_notify: the stream may be incomplete, so the endpoint saw a reset";
    /// The client reset the connection.
    DownstreamReset: Dr Downstream End "downstream_reset" None, "";
    /// The client vanished, or its network did.
    DownstreamLost: Dc Downstream End "downstream_lost" None,
        "the client stopped acknowledging or answering keepalives, or took nothing for timeouts.user_timeout";
    /// The client read nothing for the time of `timeouts.flush`.
    DownstreamStalled: Dc Downstream End "downstream_stalled" None,
        "the client did not take what was accepted for it within timeouts.flush";
    /// The client sent an alert or a broken record.
    DownstreamProtocol: Dpe Downstream End "downstream_tls_error" None,
        "the client's TLS session broke; see connection_termination_details";
    /// The endpoint reset the connection.
    UpstreamReset: Ur Upstream End "upstream_reset" None, "";
    /// The endpoint vanished, or its network did.
    UpstreamLost: Uc Upstream End "upstream_lost" None,
        "the endpoint stopped acknowledging or answering keepalives, or took nothing for timeouts.user_timeout";
    /// The endpoint read nothing for the time of `timeouts.flush`.
    UpstreamStalled: Uc Upstream End "upstream_stalled" None,
        "the endpoint did not take what was accepted for it within timeouts.flush";
    /// The endpoint's TLS stream broke, or ended without close_notify.
    UpstreamProtocol: Uc Upstream End "upstream_tls_error" None,
        "an alert before its first byte: the endpoint does not accept the gateway's certificate; otherwise its stream was cut";
    /// No byte went either way for the time of `timeouts.idle`.
    Idle: Si Nobody End "idle" None, "raise timeouts.idle, or let the application send keepalives";
    /// One side had ended, and the other was silent for the time of `timeouts.half_close`.
    HalfCloseIdle: Si Nobody End "half_closed_idle" None, "raise timeouts.half_close";
    /// Cut at the drain deadline.
    Drained: Dn Local End "drain_deadline" None,
        "the stream outlived timeouts.drain; raise it, and the pod's grace period with it";
    /// Closed while idle, because memory was short.
    Shed: Om Local End "shed" None,
        "memory was nearly used up, and this connection was idle: add memory or replicas, or lower limits.connections";
    /// Cut because the caller may no longer be served.
    Revoked: Rv Local End "revoked" None, "";
    /// Cut because the caller's certificate expired (`close_on_cert_expiry`).
    Expired: Rv Local End "certificate_expired" None, "";
    /// A fault of the gateway itself.
    Internal: Ie Local End "internal_error" Some(80), "this is a bug: please report it with this line";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_word_of_its_own_and_every_refusal_a_hint() {
        let words: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.word()).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let client_left =
                matches!(reason, Reason::Probe | Reason::HandshakeClosed | Reason::HandshakeReset);
            assert!(!reason.refusal() || client_left || !reason.hint().is_empty(), "{reason}");
        }
    }

    #[test]
    fn the_alerts_are_those_that_are_promised() {
        let promised = [
            (Reason::NoSni, 112),
            (Reason::SniUnknown, 112),
            (Reason::NoEndpoint, 80),
            (Reason::Denied, 49),
            (Reason::NoClientCert, 116),
            (Reason::CertUntrusted, 48),
            (Reason::CertExpired, 45),
            (Reason::CertRevoked, 44),
            (Reason::AlpnMismatch, 120),
        ];
        for (reason, alert) in promised {
            assert_eq!(reason.alert(), Some(alert), "{reason}");
        }
    }
}
