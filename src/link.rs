//! Signed links to incidents: whoever holds one may acknowledge, silence or close that incident until
//! the link expires. No account is needed, so that it works on a phone in the night.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use uuid::Uuid;

/// How long a link holds. Each message about an incident carries a new one.
const HOLDS: Duration = Duration::from_hours(7 * 24);

/// Signs and checks links.
#[derive(Clone)]
pub struct Links {
    base: Option<String>,
    key: [u8; 32],
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[links]")
    }
}

impl Links {
    /// Links below `base`, the address under which people reach the admin listener. Without one, no
    /// links are made.
    pub fn new(base: Option<&str>, key: [u8; 32]) -> Self {
        Self {
            base: base.map(|base| base.trim_end_matches('/').to_owned()),
            key,
        }
    }

    /// The link to an incident, made now.
    pub fn to(&self, incident: Uuid, now: Timestamp) -> Option<String> {
        let base = self.base.as_ref()?;
        let expires = now.saturating_add(HOLDS).ok()?.as_second();
        let mac = URL_SAFE_NO_PAD.encode(self.sign(incident, expires).finalize().into_bytes());
        Some(format!("{base}/incidents/{incident}/{expires}.{mac}"))
    }

    /// Whether the last part of a link was made by us for this incident and still holds.
    pub fn holds(&self, incident: Uuid, token: &str, now: Timestamp) -> bool {
        let Some((expires, mac)) = token.split_once('.') else {
            return false;
        };
        let (Ok(expires), Ok(mac)) = (expires.parse(), URL_SAFE_NO_PAD.decode(mac)) else {
            return false;
        };
        let genuine = self.sign(incident, expires).verify_slice(&mac).is_ok();
        genuine && now.as_second() < expires
    }

    fn sign(&self, incident: Uuid, expires: i64) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("any key length will do");
        mac.update(b"incident\0");
        mac.update(incident.as_bytes());
        mac.update(&expires.to_be_bytes());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_holds_for_its_incident_and_for_a_week() {
        let links = Links::new(Some("https://herald.example.com/"), [7; 32]);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let link = links.to(one, now).unwrap();
        let path = format!("https://herald.example.com/incidents/{one}/");
        let token = link.strip_prefix(&path).unwrap();
        let after = |hours| now + jiff::SignedDuration::from_hours(hours);
        assert!(links.holds(one, token, now));
        assert!(links.holds(one, token, after(167)));
        assert!(!links.holds(one, token, after(168)));
        assert!(!links.holds(other, token, now));
        let (expires, mac) = token.split_once('.').unwrap();
        let later = expires.parse::<i64>().unwrap() + 1;
        for forged in [
            format!("{later}.{mac}"),
            expires.to_owned(),
            format!("{expires}."),
            format!("{expires}.{}", mac.split_at(1).1),
            format!("{expires}.{mac}=="),
        ] {
            assert!(!links.holds(one, &forged, now), "{forged}");
        }
        let stranger = Links::new(None, [8; 32]);
        assert!(!stranger.holds(one, token, now));
        assert_eq!(stranger.to(one, now), None);
        assert!(!format!("{links:?}").contains("herald.example.com"));
    }
}
