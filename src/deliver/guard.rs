//! Where requests never go: link-local and metadata addresses.
//!
//! Destinations come from the configuration alone, but a name in it may lead, today or later, to the
//! address where a cloud hands out credentials. Names are judged by what they resolve to when the
//! connection is made, so that a name cannot change its meaning in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::Semaphore;

/// Names looked up at once for a destination. The system's resolver holds a thread for each, also
/// after nobody waits for it any more, and the store's readers need threads of the same pool.
const LOOKUPS: usize = 4;

/// Resolves names and leaves out forbidden addresses.
#[derive(Debug)]
pub(super) struct Guarded(Arc<Semaphore>);

impl Default for Guarded {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let places = Arc::clone(&self.0);
        Box::pin(async move {
            let place = places.acquire_owned().await?;
            let found = tokio::task::spawn_blocking(move || {
                // Held by the thread, not by whoever waits for it.
                let _place = place;
                (name.as_str(), 0).to_socket_addrs()
            });
            let found = found.await??;
            let allowed: Vec<SocketAddr> =
                found.filter(|found| !is_forbidden(found.ip())).collect();
            if allowed.is_empty() {
                return Err("the name leads to no address that may be used".into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether a host that is written as an address is forbidden.
pub(super) fn is_forbidden_host(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse().is_ok_and(is_forbidden)
}

/// Link-local addresses, and those of metadata services that are not.
fn is_forbidden(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || v4 == Ipv4Addr::new(100, 100, 100, 200)
                || v4 == Ipv4Addr::new(168, 63, 129, 16)
        }
        IpAddr::V6(v6) => {
            let nat64 = v6.segments().starts_with(&[0x64, 0xff9b, 0, 0, 0, 0]);
            let embedded = u32::try_from(v6.to_bits() & 0xffff_ffff).map(Ipv4Addr::from_bits);
            v6.is_unicast_link_local()
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || nat64 && embedded.is_ok_and(|v4| is_forbidden(v4.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_addresses_are_forbidden_in_every_spelling() {
        for host in [
            "169.254.169.254",
            "169.254.170.2",
            "100.100.100.200",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
        ] {
            assert!(is_forbidden_host(host), "{host}");
        }
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "hooks.slack.com",
            "93.184.216.34",
        ] {
            assert!(!is_forbidden_host(host), "{host}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_nowhere_allowed_is_refused_when_it_is_resolved() {
        assert!(
            Guarded::default()
                .resolve("localhost".parse().unwrap())
                .await
                .is_ok()
        );
    }
}
