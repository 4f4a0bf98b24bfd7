//! How many descriptors connections may take: the store and the destinations need some too.

use rustix::process::{Resource, getrlimit, setrlimit};

use super::ConnectionLimits;

/// Descriptors that connections never take: for the store, the destinations and the log.
const RESERVE: u64 = 40;

/// Raises the limit of open files as far as it goes; what it is then. None: there is no limit.
pub fn raise_descriptor_limit() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let before = limit.current;
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::debug!(%error, "the limit of open files stays");
            limit.current = before;
        }
    }
    limit.current
}

impl ConnectionLimits {
    /// With no more connections than `share` in 8 of the descriptors that are left beside the
    /// reserve, and one in any case.
    #[must_use]
    pub fn within(self, descriptors: Option<u64>, share: u64) -> Self {
        let Some(descriptors) = descriptors else {
            return self;
        };
        let left = descriptors.saturating_sub(RESERVE) / 8 * share.min(8);
        let left = usize::try_from(left).unwrap_or(usize::MAX).max(1);
        let max_connections = self.max_connections.min(left);
        if max_connections < self.max_connections {
            tracing::warn!(
                max_connections,
                wanted = self.max_connections,
                open_files = descriptors,
                "fewer connections than configured: raise the limit of open files (nofile)"
            );
        }
        Self {
            max_connections,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_store_and_the_destinations() {
        let limits = |descriptors, share| {
            let wanted = ConnectionLimits {
                max_connections: 1000,
                ..ConnectionLimits::default()
            };
            wanted.within(descriptors, share).max_connections
        };
        assert_eq!((limits(Some(64), 6), limits(Some(64), 2)), (18, 6));
        assert_eq!((limits(Some(20), 6), limits(None, 6)), (1, 1000));
        assert_eq!(limits(Some(1 << 20), 6), 1000);
    }
}
