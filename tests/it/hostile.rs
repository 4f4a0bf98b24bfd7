use std::path::Path;

use crate::support::{Service, api, client, until};

/// Every case of the index, over a real socket. Bodies that are too large for the repository are
/// made here.
#[tokio::test]
async fn hostile_bodies_are_answered_as_the_index_says_and_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(
        folder.path(),
        "route: { to: [console], group_by: [source], group_interval: 10ms }\n",
    );
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile-bodies");
    let index = std::fs::read_to_string(data.join("index.json")).unwrap();
    let index: serde_json::Value = serde_json::from_str(&index).unwrap();
    let mut stored = 0;
    let mut cases = 0;
    for case in index["cases"].as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let body = std::fs::read(data.join(file)).unwrap_or_else(|_| {
            let size = case["bytes"].as_u64().unwrap();
            assert!(size > 900_000, "{file} is missing");
            vec![b'x'; usize::try_from(size).unwrap()]
        });
        let mut request = client()
            .post(format!("http://{}/", service.events))
            .body(body);
        for (name, value) in case["headers"].as_object().into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap());
        }
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let status = answer.status().as_u16().to_string();
        let got = if status == "200" {
            "accept"
        } else {
            status.as_str()
        };
        let also = case["also_ok"].as_array().cloned().unwrap_or_default();
        let right = also
            .iter()
            .chain([&case["expect"]])
            .any(|answer| answer == got);
        assert!(right, "{file}: {got}, want {} or {also:?}", case["expect"]);
        if got == "accept" {
            assert_eq!(answer.bytes().await.unwrap().len(), 0, "{file}");
            stored += if file.starts_with("140-ndjson-two") {
                2
            } else {
                1
            };
        }
        cases += 1;
    }
    assert_eq!(cases, 146);
    until("each accepted event is accounted for once", async || {
        let fates = api(&service, "fates").await;
        let settled = fates
            .as_array()
            .unwrap()
            .iter()
            .filter(|fate| !fate["fate"].is_null());
        settled
            .map(|fate| fate["events"].as_u64().unwrap())
            .sum::<u64>()
            == stored
    })
    .await;
}

#[tokio::test]
async fn hostile_events_leave_the_log_and_the_metrics_in_one_piece() {
    let folder = tempfile::tempdir().unwrap();
    let config = "route: { to: [console], group_by: [rule, hostname], group_interval: 10ms }\n";
    let service = Service::start(folder.path(), config);
    let metrics = async || {
        let get = client().get(format!("http://{}/metrics", service.admin));
        get.send().await.unwrap().text().await.unwrap()
    };
    let events = include_str!("../data/hostile-events.ndjson");
    let post = client().post(format!("http://{}/", service.events));
    assert_eq!(post.body(events).send().await.unwrap().status(), 200);
    let settled = async || {
        let fates = api(&service, "fates").await;
        let fates = fates.as_array().unwrap();
        let settled = fates.iter().filter(|fate| !fate["fate"].is_null());
        settled
            .map(|fate| fate["events"].as_u64().unwrap())
            .sum::<u64>()
    };
    until("every event is told", async || settled().await == 481).await;
    for line in service.log.lock().unwrap().iter() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(entry["level"] != "ERROR", "{line}");
    }
    // Labels are of closed sets, so hundreds of rules and hosts add no series.
    let text = metrics().await;
    assert!(
        text.lines().count() < 200 && text.ends_with("# EOF\n"),
        "{text}"
    );
    assert!(!text.contains("evil") && text.is_ascii(), "{text}");
}
