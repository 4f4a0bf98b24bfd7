//! C12: a clock that jumps, by faketime.

use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;

use crate::history::Recovery;
use crate::launch::Launch;
use crate::load::{Load, Senders};
use crate::matrix::{Did, Scenario};
use crate::peer::Peer;
use crate::rig::{Rig, until};
use crate::service::Service;

pub(crate) const SCENARIOS: &[Scenario] = &[Scenario {
    id: "C12",
    name: "a clock that jumps loses no timer and makes no storm",
    tools: &["faketime"],
    control: None,
    run: |rig| jumps(rig).boxed_local(),
}];

/// What the clock says, as faketime writes it, one after the other.
const CLOCK: &[(&str, &str)] = &[
    ("an hour ahead", "+1h"),
    ("an hour behind", "-1h"),
    ("1970", "@1970-01-02 00:00:00"),
    ("right again", "+0"),
];

/// How long a jump may hold up what is due.
const TOLD: Duration = Duration::from_secs(6);

/// Messages of one incident in one jump: the first, one per interval, one per power of ten.
const FEW: usize = 12;

const LOAD: Load = Load {
    senders: 4,
    batch: 1,
    groups: 12,
    first_group: 0,
    pause: Duration::from_millis(20),
};

async fn jumps(rig: Rig) -> Did {
    let peer = Peer::healthy(&rig, "good").await;
    let clock = rig.folder().join("clock");
    let set = |time: &str| {
        // Whole at once: faketime reads it at any time.
        let new = clock.with_extension("new");
        std::fs::write(&new, time).unwrap();
        std::fs::rename(&new, &clock).unwrap();
    };
    set("+0");
    let library = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .map(|folder| format!("{folder}/faketime/libfaketime.so.1"))
        .into_iter()
        .find(|path| Path::new(path).exists())
        .unwrap();
    let launch = Launch::to(&[&peer])
        .with_variable("LD_PRELOAD", &library)
        .with_variable("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap())
        .with_variable("FAKETIME_NO_CACHE", "1")
        .with_variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .with_variable("DONT_FAKE_MONOTONIC", "1");
    let service = Service::start(&rig, &launch).await;
    send(&rig, 0).await;
    for ((name, time), number) in CLOCK.iter().zip(1..) {
        let before = rig.note(|history| history.deliveries.len());
        set(time);
        send(&rig, number * 100).await;
        let took = until(TOLD, async || rig.is_told(0..u32::MAX)).await;
        rig.note(|history| {
            let from = format!("the clock was {name}");
            let recovery = Recovery {
                from,
                took,
                limit: TOLD,
            };
            history.recoveries.push(recovery);
        });
        let said = rig.note(|history| history.deliveries.len()) - before;
        // The incidents of this jump and of those before.
        let most = FEW * 12 * (number as usize + 1);
        rig.require(
            said <= most,
            "I2",
            format!("{said} messages when the clock was {name}"),
        );
    }
    rig.finish(service).await;
    rig.require_nothing_of_itself();
    Did::once("clock +1 h, -1 h, to 1970 and back under load")
}

/// Some old incidents go on, and new ones begin.
async fn send(rig: &Rig, first_group: u32) {
    for first_group in [0, first_group] {
        let senders = Senders::start(
            rig,
            Load {
                first_group,
                ..LOAD
            },
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
        senders.stop().await;
    }
}
