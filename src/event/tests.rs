use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hostile-bodies")
}

struct Case {
    file: String,
    /// The answers that are right: `accept`, `400`, `413`.
    answers: Vec<String>,
    effective: Option<Json>,
    body: Vec<u8>,
}

/// The cases whose bodies are small enough to stand in the repository.
fn cases() -> Vec<Case> {
    let index = std::fs::read_to_string(data().join("index.json")).unwrap();
    let index: Json = serde_json::from_str(&index).unwrap();
    let cases = index["cases"].as_array().unwrap().iter();
    cases
        .filter(|case| {
            case.get("headers")
                .is_none_or(|headers| headers.get("Content-Encoding").is_none())
        })
        .filter_map(|case| {
            let file = case["file"].as_str().unwrap().to_owned();
            let body = std::fs::read(data().join(&file)).ok()?;
            let also = case["also_ok"].as_array().cloned().unwrap_or_default();
            let answers = also.iter().chain([&case["expect"]]);
            Some(Case {
                answers: answers
                    .map(|answer| answer.as_str().unwrap().to_owned())
                    .collect(),
                effective: case.get("effective").cloned(),
                file,
                body,
            })
        })
        .collect()
}

#[test]
fn hostile_bodies_are_accepted_or_refused_as_falcosidekick_does() {
    let cases = cases();
    assert!(cases.len() > 130, "{} cases", cases.len());
    for case in cases {
        let got = match split(&case.body, Sender::Other) {
            Ok(_) => "accept",
            Err(_) => "400",
        };
        assert!(
            case.answers.iter().any(|answer| answer == got),
            "{}: {got}, want {:?}: {:?}",
            case.file,
            case.answers,
            split(&case.body, Sender::Other).err()
        );
    }
}

#[test]
fn what_is_accepted_means_what_it_means_to_falcosidekick() {
    let mut seen = 0;
    for case in cases() {
        let (Some(effective), Ok(events)) = (case.effective, split(&case.body, Sender::Other))
        else {
            continue;
        };
        let event = decode(events[0]).unwrap();
        let file = case.file;
        for (name, want) in effective.as_object().unwrap() {
            seen += 1;
            match name.as_str() {
                "rule" => assert_eq!(want, event.rule.raw(), "{file}"),
                "priority" => assert_eq!(want, event.priority.name(), "{file}"),
                "source" => assert_eq!(want, event.source.raw(), "{file}"),
                "hostname" => assert_eq!(want, event.hostname.raw(), "{file}"),
                "tags" => {
                    let tags: Vec<_> = event.tags.iter().map(Untrusted::raw).collect();
                    assert_eq!(*want, serde_json::json!(tags), "{file}");
                }
                "output_fields" => {
                    for (name, want) in want.as_object().unwrap() {
                        let got = event.output_fields.get(name).map(Value::to_text);
                        assert_eq!(want.as_str(), got.as_deref(), "{file} {name}");
                    }
                }
                "output_fields_text" => {
                    for (name, want) in want.as_object().unwrap() {
                        let want = Value::Number(want.as_str().unwrap().into());
                        assert_eq!(Some(&want), event.output_fields.get(name), "{file} {name}");
                    }
                }
                other => panic!("{file}: unknown expectation {other}"),
            }
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn real_events_are_accepted_byte_for_byte() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/real-events.ndjson");
    let Ok(corpus) = std::fs::read(corpus) else {
        println!("skipped: the corpus of real events is not here");
        return;
    };
    let events = split(&corpus, Sender::Falco).unwrap();
    let lines: Vec<_> = corpus
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(events, lines);
    assert_eq!(events.len(), 197);
    for event in events {
        decode(event).unwrap();
    }
}

const EVENT: &str =
    r#"{"priority":"Warning","rule":"r","time":"2026-03-01T10:15:00Z","output_fields":{"a":"b"}}"#;

#[test]
fn falco_may_leave_out_what_falcosidekick_always_sends() {
    let bare = r#"{"priority":"Warning","rule":"r","time":"2026-03-01T10:15:00Z"}"#;
    assert!(split(bare.as_bytes(), Sender::Falco).is_ok());
    assert!(split(bare.as_bytes(), Sender::Other).is_err());
    let internal = r#"{"priority":"Critical","rule":"Falco internal: hot restart failure","source":"internal","time":"2026-03-01T10:15:00Z","output_fields":{}}"#;
    let event = decode(split(internal.as_bytes(), Sender::Other).unwrap()[0]).unwrap();
    assert!(event.output_fields.is_empty());
}

#[test]
fn arrays_and_wrappers_give_the_events_inside() {
    let array = format!(" [ {EVENT} ,\n{EVENT}] ");
    assert_eq!(
        split(array.as_bytes(), Sender::Other).unwrap(),
        [EVENT.as_bytes(); 2]
    );
    let cloud = format!(r#"{{"specversion":"1.0","type":"falco.rule.output.v1","data":{EVENT}}}"#);
    assert_eq!(
        split(cloud.as_bytes(), Sender::Other).unwrap(),
        [EVENT.as_bytes()]
    );
    let ui = format!(r#"{{"event":{EVENT},"outputs":["slack"]}}"#);
    assert_eq!(
        split(ui.as_bytes(), Sender::Other).unwrap(),
        [EVENT.as_bytes()]
    );
}

#[test]
fn one_bad_event_refuses_the_body_and_is_named() {
    let body = format!("{EVENT}\n{EVENT}\n{{\"rule\":\"\"}}\n");
    let error = split(body.as_bytes(), Sender::Other).unwrap_err();
    assert_eq!(error.to_string(), "event 3: `rule` is missing or empty");
    let gap = format!("[{EVENT},,{EVENT}]");
    assert!(split(gap.as_bytes(), Sender::Other).is_err());
}

#[test]
fn a_line_of_text_is_answered_with_a_hint() {
    let line = b"10:15:00.000000000: Warning Sensitive file opened";
    let error = split(line, Sender::Other).unwrap_err();
    assert!(error.to_string().contains("json_output: true"));
}

#[test]
fn large_bodies_keep_their_time_and_stack() {
    let deep = format!("{{\"a\":{}", "[".repeat(200_000));
    assert!(split(deep.as_bytes(), Sender::Other).is_err());
    let wide: String = (0..20_000).fold(String::new(), |wide, n| wide + &format!("\"k{n}\":{n},"));
    let wide = EVENT.replace("\"a\":\"b\"", &format!("{wide}\"a\":\"b\""));
    let event = decode(split(wide.as_bytes(), Sender::Other).unwrap()[0]).unwrap();
    assert_eq!(event.output_fields.len(), 20_001);
}

fn json_text() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("not empty", |text| !text.is_empty())
}

#[test]
fn a_quick_look_accepts_nothing_that_is_cut_otherwise() {
    let wrappers = [
        "{\"specversion\":\"1.0\",\"data\":@}",
        "{\"event\":@,\"outputs\":[]}",
        "[@]",
        "@ @",
        " @\n",
    ];
    let wrapped = wrappers.map(|wrapper| wrapper.replace('@', EVENT).into_bytes());
    let bodies = cases().into_iter().map(|case| case.body).chain(wrapped);
    for body in bodies.filter(|body| !body.trim_ascii().is_empty()) {
        for sender in [Sender::Falco, Sender::Other] {
            let (quick, whole) = (split(&body, sender), decode::cut(&body, sender));
            assert_eq!(quick, whole, "{}", String::from_utf8_lossy(&body));
        }
    }
}

proptest! {
    #[test]
    fn a_quick_look_agrees_on_events_with_a_member_more(name in "[a-zA-Z_]{1,6}|event|specversion|outputs|data", value in json_text()) {
        let event = EVENT.replacen('{', &format!("{{\"{name}\":{value},"), 1);
        for sender in [Sender::Falco, Sender::Other] {
            prop_assert_eq!(split(event.as_bytes(), sender), decode::cut(event.as_bytes(), sender));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(body: Vec<u8>) {
        drop(split(&body, Sender::Other));
        drop(decode(&body));
    }

    #[test]
    fn broken_events_never_panic(cut in 0..EVENT.len(), byte: u8, at in 0..EVENT.len()) {
        let mut body = EVENT.as_bytes().to_vec();
        body[at] = byte;
        body.truncate(cut);
        if let Ok(events) = split(&body, Sender::Falco) {
            for event in events {
                prop_assert!(decode(event).is_ok());
            }
        }
    }

    #[test]
    fn text_and_numbers_survive_exactly(
        rule in json_text(),
        text: String,
        host: String,
        number: i128,
        count in 1_usize..5,
    ) {
        let event = serde_json::json!({
            "rule": rule, "priority": "error", "time": "2026-03-01T10:15:00.5Z",
            "hostname": host, "output_fields": { "t": text, "n": 0, "null": null },
        });
        let event = event.to_string().replace("\"n\":0", &format!("\"n\":{number}"));
        let body = format!("[{}]", vec![event.as_str(); count].join(","));
        let events = split(body.as_bytes(), Sender::Other).unwrap();
        prop_assert_eq!(&events, &vec![event.as_bytes(); count]);
        let decoded = decode(events[0]).unwrap();
        prop_assert_eq!(decoded.rule.raw(), &rule);
        prop_assert_eq!(decoded.hostname.raw(), &host);
        let fields: Vec<_> = decoded.output_fields.iter().map(|(_, value)| value.clone()).collect();
        let want = [Value::Number(number.to_string().into()), Value::Null, Value::Text(text.into())];
        prop_assert_eq!(fields, want);
    }
}
