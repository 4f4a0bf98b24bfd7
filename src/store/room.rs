//! How much room the disk has left, and what follows.
//!
//! While there is room for everything, everything is kept. When room gets short, evidence is thinned
//! out and the oldest goes early; the last of it is for the gravest alerts.

use crate::event::Priority;

/// Below this share of the limit, in per cent, or this many bytes, whichever is less, room is short.
const SHORT: (u64, u64) = (20, 1 << 30);

/// The same for the room that is kept for the gravest alerts.
const RESERVE: (u64, u64) = (5, 256 << 20);

/// With fewer bytes than this, no commit can be counted on.
const USABLE: u64 = 64 << 10;

/// What the last room is kept for.
pub const RESERVED_FOR: Priority = Priority::Critical;

/// How much room is left. A later variant is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Room {
    /// Nothing can be counted on to fit.
    Full,
    /// Only events of [`RESERVED_FOR`] and above are taken.
    Reserved,
    /// Everything is taken, but fewer bodies are kept, and the oldest go before their time.
    Short,
    /// Enough.
    Plenty,
}

impl Room {
    /// From the size of the disk and what is free of it, and from what the store uses and may use at
    /// most; all in bytes.
    pub(super) fn judge(disk: u64, free: u64, used: u64, max: Option<u64>) -> Self {
        let of_disk = Self::of(disk, free);
        max.map_or(of_disk, |max| {
            Self::of(max, max.saturating_sub(used)).min(of_disk)
        })
    }

    fn of(limit: u64, left: u64) -> Self {
        let below = |(percent, bytes): (u64, u64)| left < (limit / 100 * percent).min(bytes);
        if left < USABLE {
            Self::Full
        } else if below(RESERVE) {
            Self::Reserved
        } else if below(SHORT) {
            Self::Short
        } else {
            Self::Plenty
        }
    }

    /// As a number, for metrics: 0 full to 3 plenty.
    pub fn level(self) -> u64 {
        match self {
            Self::Full => 0,
            Self::Reserved => 1,
            Self::Short => 2,
            Self::Plenty => 3,
        }
    }

    /// For people, and for the log.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Full => "the disk is full",
            Self::Reserved => "the last room is kept for critical alerts",
            Self::Short => "room is short, fewer events are kept as posted",
            Self::Plenty => "there is room",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_last_twentieth_is_reserved_and_a_fifth_is_short() {
        let judge = |left| Room::judge(100 * MIB, left * MIB, 0, None);
        assert_eq!(judge(0), Room::Full);
        assert_eq!(judge(4), Room::Reserved);
        assert_eq!(judge(6), Room::Short);
        assert_eq!(judge(19), Room::Short);
        assert_eq!(judge(21), Room::Plenty);
    }

    #[test]
    fn on_a_large_disk_the_shares_are_bounded() {
        let judge = |left: u64| Room::judge(1 << 40, left * MIB, 0, None);
        assert_eq!(judge(255), Room::Reserved);
        assert_eq!(judge(257), Room::Short);
        assert_eq!(judge(1_025), Room::Plenty);
    }

    #[test]
    fn a_limit_of_the_site_counts_like_the_end_of_the_disk() {
        let judge = |used: u64, free| Room::judge(1 << 40, free, used * MIB, Some(100 * MIB));
        assert_eq!(judge(10, 1 << 39), Room::Plenty);
        assert_eq!(judge(97, 1 << 39), Room::Reserved);
        assert_eq!(judge(200, 1 << 39), Room::Full);
        assert_eq!(judge(10, 100 * MIB), Room::Reserved);
    }

    proptest! {
        #[test]
        fn more_free_bytes_never_mean_less_room(
            disk: u64, free: u64, more: u64, used: u64, max: Option<u64>,
        ) {
            let (less, more) = (free.min(more), free.max(more));
            prop_assert!(Room::judge(disk, less, used, max) <= Room::judge(disk, more, used, max));
        }
    }
}
