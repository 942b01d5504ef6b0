//! Where names may lead: address ranges, and those that nothing but the local file may open.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Parses `ADDRESS/PREFIX`, or one address.
    ///
    /// Bits beyond the prefix are refused, since they are most often a slip.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = address.parse().map_err(|_| format!("{address:?} is not an IP address"))?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= most)
                .ok_or_else(|| format!("the prefix must be a number from 0 to {most}"))?,
        };
        let range = Self { base, prefix };
        if bits(base) & !range.mask() != 0 {
            return Err(format!("{text:?} has bits set beyond its prefix of {prefix}"));
        }
        Ok(range)
    }

    /// Whether the address is in the range; an IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && bits(address) & self.mask() == bits(self.base)
    }

    /// Whether every address of its family is in the range.
    pub fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    fn mask(&self) -> u128 {
        let width = if self.base.is_ipv4() { 32 } else { 128 };
        let host = u32::from(width - self.prefix);
        u128::MAX.checked_shl(host).unwrap_or(0)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// Where endpoints from DNS or a configuration stream may point.
///
/// Addresses that the local file gives as addresses are not subject to this: the file is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressRules {
    /// Only these ranges; empty means everything but the built-in list of what is never meant:
    /// unspecified, loopback, link-local and multicast addresses and the metadata services of clouds.
    pub allow_cidrs: Vec<Cidr>,
}

/// An address that a name may not lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The address is on the built-in list.
    #[error(
        "{0} is a loopback, link-local, multicast, unspecified or metadata address; list it in endpoints.allow_cidrs if it is meant"
    )]
    Never(IpAddr),
    /// The address is in none of the allowed ranges.
    #[error("{0} is outside endpoints.allow_cidrs")]
    Outside(IpAddr),
}

impl AddressRules {
    /// Decides whether a name may lead to `address`.
    pub fn check(&self, address: SocketAddr) -> Result<(), Forbidden> {
        let ip = address.ip();
        if self.allow_cidrs.is_empty() {
            if never_meant(ip) { Err(Forbidden::Never(ip)) } else { Ok(()) }
        } else if self.allow_cidrs.iter().any(|range| range.contains(ip)) {
            Ok(())
        } else {
            Err(Forbidden::Outside(ip))
        }
    }
}

fn never_meant(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => never_meant_v4(v4),
        IpAddr::V6(v6) => never_meant_v6(v6),
    }
}

fn never_meant_v4(ip: Ipv4Addr) -> bool {
    const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    const AZURE_METADATA: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    ip.octets().first() == Some(&0)
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip == ALIBABA_METADATA
        || ip == AZURE_METADATA
}

fn never_meant_v6(ip: Ipv6Addr) -> bool {
    const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    // RFC 6052: 64:ff9b::/96 leads to the IPv4 address in its last 32 bits.
    let [prefix @ .., high, low] = ip.segments();
    let embedded = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    let translated = prefix == [0x64, 0xff9b, 0, 0, 0, 0];
    let compatible = prefix == [0; 6];
    ip.is_loopback()
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unicast_link_local()
        || ip == AWS_METADATA
        || ip.to_ipv4_mapped().is_some_and(never_meant_v4)
        || ((translated || compatible) && never_meant_v4(embedded))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(ranges: &[&str]) -> AddressRules {
        AddressRules { allow_cidrs: ranges.iter().map(|range| Cidr::parse(range).unwrap()).collect() }
    }

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 80)
    }

    #[test]
    fn a_range_contains_what_its_prefix_says() {
        let ten = Cidr::parse("10.0.0.0/8").unwrap();
        assert!(ten.contains("10.255.0.1".parse().unwrap()));
        assert!(ten.contains("::ffff:10.0.0.1".parse().unwrap()));
        assert!(!ten.contains("11.0.0.1".parse().unwrap()));
        assert!(Cidr::parse("0.0.0.0/0").unwrap().contains("192.0.2.1".parse().unwrap()));
        assert!(Cidr::parse("::/0").unwrap().contains("2001:db8::1".parse().unwrap()));
        assert!(Cidr::parse("192.0.2.1").unwrap().contains("192.0.2.1".parse().unwrap()));
        for bad in ["10.0.0.0/33", "10.0.0.1/8", "ten/8", "10.0.0.0/-1", "::/129", ""] {
            assert!(Cidr::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn by_default_a_name_leads_anywhere_but_where_it_is_never_meant_to() {
        let rules = rules(&[]);
        for ip in ["10.0.0.7", "192.0.2.1", "2001:db8::1", "fd00::1"] {
            assert_eq!(rules.check(at(ip)), Ok(()), "{ip}");
        }
        let never = [
            "127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "100.100.100.200",
            "168.63.129.16",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "ff02::1",
        ];
        for ip in never {
            assert!(matches!(rules.check(at(ip)), Err(Forbidden::Never(_))), "{ip}");
        }
    }

    #[test]
    fn the_file_may_open_a_range_and_closes_all_others_by_it() {
        let rules = rules(&["127.0.0.0/8", "10.0.0.0/8"]);
        assert_eq!(rules.check(at("127.0.0.1")), Ok(()));
        assert_eq!(rules.check(at("192.0.2.1")), Err(Forbidden::Outside("192.0.2.1".parse().unwrap())));
    }
}
