//! Connections as Falco prints them: `10.0.0.5:42776->23.220.75.245:443`, client first.

use std::net::IpAddr;

use crate::report::phrase::Phrase;

/// An address and a port that parsed, so they are safe to show and to put into a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) struct Endpoint {
    pub(in crate::report) ip: IpAddr,
    pub(in crate::report) port: u16,
}

/// A connection: the client opened it to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::report) struct Connection {
    pub(in crate::report) client: Endpoint,
    pub(in crate::report) server: Endpoint,
}

impl Connection {
    /// Reads `fd.name` of an IPv4 or IPv6 socket.
    pub(in crate::report) fn parse(name: &str) -> Option<Self> {
        let (client, server) = name.split_once("->")?;
        Some(Self {
            client: Endpoint::parse(client)?,
            server: Endpoint::parse(server)?,
        })
    }

    /// `client to server`, with what is known about the server.
    pub(in crate::report) fn phrase(self, protocol: Option<&str>) -> Phrase {
        let Self { client, server } = self;
        let protocol = match protocol {
            Some("tcp") => ", TCP",
            Some("udp") => ", UDP",
            _ => "",
        };
        let kind = kind(server.ip);
        let service = port(server.port)
            .map(|name| format!(" ({name})"))
            .unwrap_or_default();
        Phrase::of("client ")
            .value(client.ip.to_string())
            .words(format!(" port {} to server ", client.port))
            .value(server.ip.to_string())
            .words(format!(
                " port {}{service}{protocol}; the server is {kind}",
                server.port
            ))
    }
}

impl Endpoint {
    fn parse(text: &str) -> Option<Self> {
        let (ip, port) = text.rsplit_once(':')?;
        let ip = ip.trim_start_matches('[').trim_end_matches(']');
        Some(Self {
            ip: ip.parse().ok()?,
            port: port.parse().ok()?,
        })
    }
}

/// What kind of address it is.
pub(in crate::report) fn kind(ip: IpAddr) -> &'static str {
    let ip = ip.to_canonical();
    match ip {
        IpAddr::V4(v4) if v4.octets() == [169, 254, 169, 254] => {
            "the cloud's metadata service, which gives out credentials"
        }
        _ if ip.is_loopback() => "this machine itself (loopback)",
        IpAddr::V4(v4) if v4.is_private() => "a private address",
        IpAddr::V4(v4) if v4.is_link_local() => "a link-local address",
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => "a private address",
        _ if ip.is_unspecified() || ip.is_multicast() => "no single machine",
        _ => "a public address",
    }
}

/// What usually listens on a port that matters in triage.
pub(in crate::report) fn port(port: u16) -> Option<&'static str> {
    Some(match port {
        22 => "SSH",
        53 => "DNS",
        80 => "HTTP",
        443 => "HTTPS",
        2375 | 2376 => "Docker API",
        2379 => "etcd",
        3333 | 14433 | 14444 | 45700 => "common for mining pools",
        4444 => "common for reverse shells and mining pools",
        6443 => "Kubernetes API",
        10250 => "kubelet",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_read_in_both_families() {
        let v4 = Connection::parse("172.17.0.5:42776->23.220.75.245:443").unwrap();
        assert_eq!(
            v4.phrase(Some("tcp")).prose(),
            "client `172.17.0.5` port 42776 to server `23.220.75.245` port 443 (HTTPS), TCP; the server is a public address"
        );
        let v6 = Connection::parse("::ffff:10.0.0.1:5000->::1:9999").unwrap();
        assert_eq!(v6.server.port, 9999);
        assert_eq!(kind(v6.client.ip), "a private address");
        assert!(kind("169.254.169.254".parse().unwrap()).contains("metadata"));
    }

    #[test]
    fn other_names_are_no_connections() {
        for name in [
            "",
            "/etc/shadow",
            "a->b",
            "10.0.0.1->10.0.0.2",
            "10.0.0.1:99999->10.0.0.2:1",
        ] {
            assert_eq!(Connection::parse(name), None, "{name}");
        }
    }
}
