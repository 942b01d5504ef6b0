//! What stands at the end of every `--help`; a test does what it says.

pub(super) const CERTS: &str = "\
Example, from nothing to a verified caller:
  landbridge certs ca --domain cluster.local --name cluster-1
  landbridge certs issue --ca cluster-1-ca.pem --ca-key cluster-1-ca.key \\
      --id spiffe://cluster.local/ns/default/sa/sleep
  landbridge certs verify --cert sleep.pem --key sleep.key \\
      --bundle cluster-1=cluster.local=cluster-1-ca.pem

A mesh has its own CA (Istio, SPIRE, cert-manager): use that in production.";

pub(super) const CA: &str = "\
Examples:
  landbridge certs ca --domain cluster.local
      writes cluster.local-ca.pem and cluster.local-ca.key
  landbridge certs ca --domain cluster.local --name cluster-1 --out pki
      for one of several meshes of one trust domain: pki/cluster-1-ca.pem and pki/cluster-1-ca.key

The certificate is the bundle of a [[trust]] entry. The key stays off the gateways.";

pub(super) const INTERMEDIATE: &str = "\
Example:
  landbridge certs intermediate --ca cluster-1-ca.pem --ca-key cluster-1-ca.key --name issuing-1
      writes issuing-1.pem and issuing-1.key; issue with these, and keep the root's key away

Bundles keep the root alone: what the intermediate issues carries it along.";

pub(super) const ISSUE: &str = "\
Examples:
  landbridge certs issue --ca cluster-1-ca.pem --ca-key cluster-1-ca.key \\
      --id spiffe://cluster.local/ns/default/sa/sleep
      a caller: writes sleep.pem and sleep.key
  landbridge certs issue --ca cluster-2-ca.pem --ca-key cluster-2-ca.key --name gateway \\
      --id spiffe://cluster.local/ns/istio-system/sa/eastwest \\
      --dns httpbin.default.svc.cluster.local \\
      --dns outbound_.8000_._.httpbin.default.svc.cluster.local
      a gateway or a service, with the names that clients compare";

pub(super) const RENEW: &str = "\
Examples:
  landbridge certs renew sleep.pem --ca cluster-1-ca.pem --ca-key cluster-1-ca.key --force
      a new key too: replaces sleep.pem and sleep.key
  landbridge certs renew sleep.pem --key sleep.key --force \\
      --ca cluster-1-ca.pem --ca-key cluster-1-ca.key
      the same key: replaces sleep.pem
  landbridge certs renew sleep.pem --ca cluster-1-ca.pem --ca-key cluster-1-ca.key --out next
      leaves the old ones alone: writes next/sleep.pem and next/sleep.key

The gateway notices replaced files by itself. Live connections stay.";

pub(super) const CRL: &str = "\
Examples:
  landbridge certs crl --ca cluster-1-ca.pem --ca-key cluster-1-ca.key --revoke sleep.pem
      writes cluster-1.crl.pem, or adds to it
  landbridge certs crl --ca cluster-1-ca.pem --ca-key cluster-1-ca.key
      renews it: the same serial numbers, new dates
  landbridge certs crl --ca issuing-1.pem --ca-key issuing-1.key --crl cluster-1.crl.pem
      adds an intermediate's list to the file: a gateway wants one of every CA on the path

While a list has expired, nobody is let in whom it could name.";

pub(super) const INSPECT: &str = "\
Examples:
  landbridge certs inspect sleep.pem sleep.key
      the chain in order, the rules of X509-SVID, and whether the key belongs to it
  landbridge certs inspect --format json cluster-1-ca.pem cluster-1.crl.pem

Exits 1 if a file cannot be read. Whether a certificate is believed is for: landbridge certs verify";

pub(super) const VERIFY: &str = "\
Examples:
  landbridge certs verify --cert sleep.pem --key sleep.key -c gateway.toml \\
      --service httpbin.default.svc.cluster.local:8000
  landbridge certs verify --cert sleep.pem --bundle cluster-1=cluster.local=cluster-1-ca.pem \\
      --crl cluster-1=cluster-1.crl.pem
  landbridge certs verify --cert sleep.pem -c gateway.toml --at 2031-01-31T12:00:00Z

The answer is that of the gateway itself: the same function decides.";
