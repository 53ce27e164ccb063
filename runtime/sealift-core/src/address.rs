//! Addresses that nothing on behalf of a stranger is ever connected to.
//!
//! Functions name hosts, and registries name hosts for tokens, redirects and mirrors. Both checks
//! use this one table. Resolving a name, and connecting to the address that was checked and to no
//! other, is the caller's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Addresses where clouds tell a machine its secrets, besides the link-local one.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200), // Alibaba
    Ipv4Addr::new(168, 63, 129, 16),   // Azure
    Ipv4Addr::new(192, 0, 0, 192),     // Oracle
];
/// The same over IPv6 (AWS).
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prohibited {
    /// It means "this host" or nothing.
    Unspecified,
    /// Multicast or broadcast.
    Multicast,
    /// Of the link only, where clouds put their metadata.
    LinkLocal,
    /// A cloud's metadata service.
    Metadata,
    /// This machine, or this pod.
    Loopback,
}

impl Prohibited {
    /// In words, to follow "which is".
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Multicast => "a multicast or broadcast address",
            Self::LinkLocal => "link-local",
            Self::Metadata => "a cloud's metadata service",
            Self::Loopback => "loopback",
        }
    }
}

/// What speaks against an address. Loopback is the caller's choice, the others are not.
#[must_use]
pub fn prohibition(address: IpAddr, allow_loopback: bool) -> Option<Prohibited> {
    match address.to_canonical() {
        IpAddr::V4(address) => prohibition_v4(address, allow_loopback),
        IpAddr::V6(address) => {
            // An IPv4 address in disguise is that IPv4 address, once it is on the wire.
            if let Some(embedded) = embedded(address) {
                return prohibition_v4(embedded, allow_loopback);
            }
            if address.is_unspecified() {
                Some(Prohibited::Unspecified)
            } else if address.is_multicast() {
                Some(Prohibited::Multicast)
            } else if address.is_unicast_link_local() {
                Some(Prohibited::LinkLocal)
            } else if address == METADATA_V6 {
                Some(Prohibited::Metadata)
            } else if address.is_loopback() && !allow_loopback {
                Some(Prohibited::Loopback)
            } else {
                None
            }
        }
    }
}

fn prohibition_v4(address: Ipv4Addr, allow_loopback: bool) -> Option<Prohibited> {
    // All of 0.0.0.0/8 means "this host" to some systems.
    if address.octets().first() == Some(&0) {
        Some(Prohibited::Unspecified)
    } else if address.is_multicast() || address.is_broadcast() {
        Some(Prohibited::Multicast)
    } else if address.is_link_local() {
        Some(Prohibited::LinkLocal)
    } else if METADATA_V4.contains(&address) {
        Some(Prohibited::Metadata)
    } else if address.is_loopback() && !allow_loopback {
        Some(Prohibited::Loopback)
    } else {
        None
    }
}

/// The IPv4 address inside of an IPv4-compatible, NAT64 or 6to4 address.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| {
        let [p, q] = high.to_be_bytes();
        let [r, s] = low.to_be_bytes();
        Ipv4Addr::new(p, q, r, s)
    };
    match (a, b) {
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0) && g != 0 => Some(of(g, h)),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => Some(of(g, h)),
        (0x2002, _) => Some(of(b, c)),
        _ => None,
    }
}

/// Those of `found`, the addresses of `host`, that may be connected to.
///
/// # Errors
/// There are none; the text says why.
pub fn permitted(
    host: &str,
    found: &[SocketAddr],
    allow_loopback: bool,
) -> Result<Vec<SocketAddr>, String> {
    let mut refusal = None;
    let permitted: Vec<SocketAddr> = found
        .iter()
        .filter(|address| match prohibition(address.ip(), allow_loopback) {
            None => true,
            Some(why) => {
                refusal.get_or_insert((address.ip(), why));
                false
            }
        })
        .copied()
        .collect();
    match (permitted.is_empty(), refusal) {
        (false, _) => Ok(permitted),
        (true, Some((address, why))) => Err(format!(
            "{host} resolves to {address}, which is {} and never connected to",
            why.as_str()
        )),
        (true, None) => Err(format!("{host} has no address")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_refused_always_is_refused_in_every_disguise() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "169.254.169.254",
            "169.254.1.1",
            "100.100.100.200",
            "168.63.129.16",
            "::",
            "ff02::1",
            "fe80::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "::169.254.169.254",
        ] {
            assert!(prohibition(text.parse().unwrap(), true).is_some(), "{text}");
        }
    }

    #[test]
    fn loopback_is_a_choice_and_ordinary_addresses_are_free() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let address = text.parse().unwrap();
            assert_eq!(prohibition(address, false), Some(Prohibited::Loopback), "{text}");
            assert_eq!(prohibition(address, true), None, "{text}");
        }
        for text in ["10.0.0.1", "192.168.1.1", "1.1.1.1", "fd00::1", "2606:4700::1111"] {
            assert_eq!(prohibition(text.parse().unwrap(), false), None, "{text}");
        }
    }

    #[test]
    fn a_name_that_also_resolves_to_a_refused_address_uses_the_others() {
        let found = ["169.254.169.254:80".parse().unwrap(), "10.0.0.1:80".parse().unwrap()];
        assert_eq!(permitted("h", &found, false).unwrap(), found.get(1..).unwrap());
        let text = permitted("h", found.get(..1).unwrap(), false).unwrap_err();
        assert!(text.contains("169.254.169.254") && text.contains("link-local"), "{text}");
    }
}
