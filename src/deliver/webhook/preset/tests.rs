use std::path::Path;

use super::written::builtin_names;
use super::*;
use crate::deliver::NoticeKind;
use crate::deliver::testing::{CANARY, notice, titled};
use crate::markup::escape::{code_block, inline};
use crate::markup::testing::corpus;

/// What a site gives for each built-in preset.
fn build(name: &str) -> Preset {
    let written = builtin(name).unwrap();
    let needed = written
        .params
        .iter()
        .filter(|(_, default)| default.is_none());
    let params = needed.map(|(name, _)| (name.clone(), Secret::new(format!("the {name}"))));
    let token = (written.token != Need::None).then(|| Secret::new(CANARY));
    let params = &params.collect();
    Preset::try_new(written, &Site { params, token }).unwrap()
}

fn calls(preset: &Preset) -> impl Iterator<Item = &Call> {
    let calls = [
        Some(&preset.create),
        preset.update.as_ref(),
        preset.close.as_ref(),
    ];
    calls.into_iter().flatten()
}

fn rendered(preset: &Preset, call: &Call, notice: &Notice) -> Value {
    let remote = preset.create.id.as_ref().map(|_| "17");
    let body = preset.body(call, notice, remote).unwrap().unwrap();
    serde_json::from_slice(&body).unwrap()
}

/// Every string of a body, and the body with these strings emptied.
fn taken_apart(body: &mut Value, strings: &mut Vec<String>) {
    match body {
        Value::String(text) => strings.push(std::mem::take(text)),
        Value::Array(items) => items.iter_mut().for_each(|item| taken_apart(item, strings)),
        Value::Object(map) => map
            .values_mut()
            .for_each(|value| taken_apart(value, strings)),
        _ => {}
    }
}

#[test]
fn there_is_a_preset_for_each_product_named() {
    let names = [
        "apprise",
        "gotify",
        "linear",
        "ntfy",
        "rocketchat",
        "zammad",
    ];
    assert_eq!(builtin_names(), names);
}

#[test]
fn every_preset_carries_every_hostile_value_as_text_and_nothing_else() {
    let hostile = |kind, value: &str| {
        let mut notice = titled(kind, value);
        notice.report.markdown = format!("# {}\n\n{}", inline(value), code_block(value, "text"));
        notice.incident.labels = vec![("proc.name".to_owned(), value.into())];
        notice
    };
    for name in builtin_names() {
        let preset = build(&name);
        for call in calls(&preset) {
            let kind = match call.step {
                "create" => NoticeKind::Open,
                "update" => NoticeKind::Update,
                _ => NoticeKind::Close,
            };
            let mut harmless = rendered(&preset, call, &hostile(kind, "harmless"));
            taken_apart(&mut harmless, &mut Vec::new());
            for row in corpus() {
                let notice = hostile(kind, &row.value);
                let mut body = rendered(&preset, call, &notice);
                let mut strings = Vec::new();
                taken_apart(&mut body, &mut strings);
                assert_eq!(body, harmless, "{name} {}", row.id);
                let carries = |text: &str| strings.iter().any(|string| string.contains(text));
                let line = inert::line(row.value.trim(), LINE);
                assert!(
                    preset.heading || carries(&line),
                    "{name} {}: {strings:?}",
                    row.id
                );
                let (context, length) = preset.context(&notice, None, preset.max_text);
                let text = context["report"]["text"].as_str().unwrap();
                // Longer ones may have been shortened to fit.
                let whole = call.step == "create" && length < 500;
                assert!(!whole || carries(text), "{name} {}: {strings:?}", row.id);
            }
        }
    }
}

#[test]
fn every_preset_says_the_severity_and_the_end_in_its_own_words() {
    let told: Vec<_> = builtin_names()
        .iter()
        .map(|name| {
            let preset = build(name);
            let open = rendered(&preset, &preset.create, &notice(NoticeKind::Open));
            let close = preset.close.as_ref().unwrap_or(&preset.create);
            let path = preset
                .path(close, &notice(NoticeKind::Close), Some("17"))
                .unwrap();
            let close = rendered(&preset, close, &notice(NoticeKind::Close));
            json!({ "preset": name, "open": open, "path": path, "close": close })
        })
        .collect();
    insta::assert_json_snapshot!(told);
}

#[test]
fn the_report_is_shortened_until_the_body_fits() {
    let mut notice = notice(NoticeKind::Open);
    notice.report.markdown = format!("# x\n\n```text\n{}\n```\n", "\u{1f600}\"".repeat(20_000));
    for name in builtin_names() {
        let preset = build(&name);
        let body = preset.body(&preset.create, &notice, None).unwrap().unwrap();
        assert!(body.len() <= preset.max_bytes, "{name}");
    }
    let tight = "{ max_bytes: 40, create: { body: '{{ report.line }}' } }";
    let preset = written(tight).unwrap();
    let error = preset.body(
        &preset.create,
        &titled(NoticeKind::Open, &"x".repeat(60)),
        None,
    );
    let error = error.unwrap_err();
    assert_eq!(error.verdict, crate::deliver::Verdict::Unacceptable);
}

fn try_written(text: &str, given: &[(&str, &str)], token: Option<&str>) -> Result<Preset, String> {
    let written: Written = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let params = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
    let params = &params.collect();
    let token = token.map(Secret::new);
    Preset::try_new(written, &Site { params, token })
}

fn written(text: &str) -> Result<Preset, String> {
    try_written(text, &[], None)
}

#[test]
fn values_of_the_site_and_ids_stay_one_part_of_a_path() {
    let text =
        "{ params: { key: }, create: { path: '/n/{{ params.key }}?i={{ uid }}&r={{ remote }}' } }";
    let preset = try_written(text, &[("key", "a/../b?c&d=é .")], None).unwrap();
    let path = preset
        .path(&preset.create, &notice(NoticeKind::Open), Some("1/2"))
        .unwrap();
    let uid = notice(NoticeKind::Open).incident.uid;
    assert_eq!(
        path,
        format!("/n/a%2F..%2Fb%3Fc%26d%3D%C3%A9%20.?i={uid}&r=1%2F2")
    );
}

#[test]
fn event_text_reaches_neither_a_path_nor_a_header() {
    for text in [
        "{ create: { path: '/{{ report.title }}', body: '{}' } }",
        "{ create: { path: '/{{ incident.rule }}', body: '{}' } }",
        "{ headers: { X-A: '{{ report.title }}' }, create: { body: '{}' } }",
    ] {
        let error = written(text).unwrap_err();
        assert!(error.contains("undefined"), "{error}");
    }
}

#[test]
fn a_mistake_is_told_with_its_place_and_without_secrets() {
    let refused = |text: &str, given: &[(&str, &str)], token| {
        let error = try_written(text, given, token).unwrap_err();
        assert!(!error.contains(CANARY), "{error}");
        error
    };
    let of = |text: &str| refused(text, &[], None);
    let unknown = of("{ create: { boddy: x } }");
    assert!(
        unknown.contains("boddy") && unknown.contains("line 1"),
        "{unknown}"
    );
    assert!(of("{ create: { body: '{{ x' } }").starts_with("create.body: syntax error"));
    assert!(of("{ create: { body: '{{ report.titel }}' } }").starts_with("create.body: undefined"));
    insta::assert_snapshot!(of("{ create: { body: '{\"a\": }' } }"), @"create.body: does not give JSON: expected value at line 1 column 7");
    insta::assert_snapshot!(of("{ create: { path: x } }"), @"create.path: begins with `/` or `?`, or is empty");
    insta::assert_snapshot!(of("{ create: { success: { statuses: [302] } } }"), @"create.success.statuses: 302 cannot be one");
    insta::assert_snapshot!(of("{ retry: { value: x }, create: {} }"), @"retry: a `value` needs a `path`");
    insta::assert_snapshot!(of("{ create: {}, find: { id: id } }"), @"find: needs `id` and `contains`, and `create` needs `id`");
    insta::assert_snapshot!(of("{ create: {}, close: { id: id } }"), @"close: only `create` and `find` have an `id`");
    insta::assert_snapshot!(of("{ params: { key: }, create: {} }"), @"it needs `params.key`");
    insta::assert_snapshot!(of("{ token: required, create: {} }"), @"it needs a `token`");
    insta::assert_snapshot!(refused("{ create: {} }", &[], Some(CANARY)), @"it has no use for a `token`");
    insta::assert_snapshot!(refused("{ params: { key: a }, create: {} }", &[("kay", CANARY)], None), @"it has no `params.kay`; it knows: key");
    let text = "{ token: required, headers: { X-A: '{{ token }}' }, create: {} }";
    let token = format!("{CANARY}\r\nX-B: 1");
    insta::assert_snapshot!(refused(text, &[], Some(&token)), @"headers.X-A: a value of the site does not fit a header");
    insta::assert_snapshot!(builtin("../linear").unwrap_err(), @"there is none; there are apprise, gotify, linear, ntfy, rocketchat, zammad");
    assert!(
        read(Path::new("/no/such/file"))
            .unwrap_err()
            .starts_with("cannot be read")
    );
}
