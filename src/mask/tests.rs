use serde::Deserialize;

use super::*;

fn masker() -> Masker {
    Masker::try_new(&MaskConfig::default(), Key::from_bytes([7; 32])).unwrap()
}

#[derive(Deserialize)]
struct Row {
    id: String,
    class: String,
    value: String,
    #[serde(default)]
    must_redact: Vec<String>,
    #[serde(default)]
    must_survive: bool,
}

fn rows() -> Vec<Row> {
    let rows = include_str!("../../tests/data/hostile-fields.ndjson");
    rows.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_secret_of_the_corpus_is_masked_and_nothing_else() {
    let masker = masker();
    let (mut masked, mut wanted) = (0, 0);
    for row in rows() {
        let text = masker.mask(&row.value);
        for secret in &row.must_redact {
            wanted += 1;
            assert!(!text.contains(secret.as_str()), "{}: {text}", row.id);
            masked += 1;
        }
        let false_mask = row.must_redact.is_empty()
            && (row.must_survive || row.class.contains("benign") || row.class == "secret-negative");
        if false_mask {
            assert_eq!(text, row.value, "{}", row.id);
        }
    }
    assert!(wanted >= 23 && masked == wanted, "{masked} of {wanted}");
}

#[test]
fn what_stands_around_a_secret_stays() {
    let mark = Regex::new(r"\[masked [0-9a-f]{6}\]").unwrap();
    for (text, wanted) in [
        ("mysql -uroot -pHunter2 db", "mysql -uroot -p* db"),
        ("psql --password=Hunter2 -h db", "psql --password=* -h db"),
        (
            "curl -u admin:Hunter2 https://api.example",
            "curl -u admin:* https://api.example",
        ),
        (
            "git clone https://u:Hunter2@github.com/o/r",
            "git clone https://u:*@github.com/o/r",
        ),
        (
            "app --token \"two words\" --verbose",
            "app --token \"*\" --verbose",
        ),
        ("PGPASSWORD=Hunter2 psql -h db", "PGPASSWORD=* psql -h db"),
        (
            "sh -c \"sshpass -p Hunter2 ssh root@h\"",
            "sh -c \"sshpass -p * ssh root@h\"",
        ),
        ("a; redis-cli -a Hunter2 ping", "a; redis-cli -a * ping"),
        (
            "sudo docker login -u a -p Hunter2 r.example",
            "sudo docker login -u a -p * r.example",
        ),
        (
            "openssl rsa -passin pass:Hunter2 -in k",
            "openssl rsa -passin pass:* -in k",
        ),
        (
            "{\"password\": \"Hunter2\", \"user\": \"a\"}",
            "{\"password\": \"*\", \"user\": \"a\"}",
        ),
        (
            "--set auth.password=Hunter2,other=1",
            "--set auth.password=*,other=1",
        ),
    ] {
        let masked = masker().mask(text).into_owned();
        assert_eq!(mark.replace_all(&masked, "*"), wanted);
    }
}

#[test]
fn words_about_secrets_are_no_secrets() {
    for text in [
        "grep -r password /etc",
        "cat /run/secrets/token",
        "app --password-file /run/secrets/p",
        "TOKEN_FILE=/run/token app",
        "kubectl get secret db -n prod -o yaml",
        "mysql -p -u root",
        "mkdir -p /srv/data",
        "ps -u root",
        "nginx -p /etc/nginx",
        "ssh -p 2222 host",
        "passwd: password updated successfully",
        "export PASSWORD=$DB_PASSWORD",
        "--token=$TOKEN",
        "docker run -p 8080:80 nginx",
        "curl -p https://x.example",
        "find / -name id_rsa -o -name \"*.pem\"",
        "monkey=banana",
        "tokenizer --model x",
    ] {
        assert_eq!(masker().mask(text), text);
    }
}

#[test]
fn equal_secrets_have_equal_marks_and_keys_change_them() {
    let masked = masker()
        .mask("a --token=Hunter2 b --secret=Hunter2 c --token=other")
        .into_owned();
    let marks: Vec<_> = masked
        .split("[masked ")
        .skip(1)
        .filter_map(|rest| rest.get(..6))
        .collect();
    assert!(marks[0] == marks[1] && marks[1] != marks[2], "{masked}");
    let other = Masker::try_new(&MaskConfig::default(), Key::from_bytes([8; 32])).unwrap();
    assert_ne!(
        other.mask("a --token=Hunter2 b --secret=Hunter2 c --token=other"),
        masked
    );
}

#[test]
fn patterns_of_the_site_are_added_and_the_defaults_can_be_off() {
    let config = MaskConfig {
        defaults: false,
        patterns: vec![r"ACME-(\d+)".to_owned(), "hush".to_owned()],
    };
    let masker = Masker::try_new(&config, Key::from_bytes([7; 32])).unwrap();
    let masked = masker.mask("ACME-4711 hush --password x").into_owned();
    assert!(
        masked.starts_with("ACME-[masked ") && masked.ends_with("] --password x"),
        "{masked}"
    );
    assert!(!masked.contains("4711") && !masked.contains("hush"));
    let wrong = MaskConfig {
        defaults: true,
        patterns: vec!["(".to_owned()],
    };
    let error = Masker::try_new(&wrong, Key::random()).unwrap_err();
    assert!(error.to_string().starts_with("mask.patterns[0]: "));
}

#[test]
fn a_message_that_repeats_a_command_is_masked_like_the_command() {
    let command = "mysql -uroot -pHunter2 db";
    let message = format!("Shell (user=root command={command} parent=sh)");
    assert!(!masker().mask(&message).contains("Hunter2"));
    let odd = "oddtool x --secret Hunter2 y";
    let json = serde_json::json!({"output": format!("run='{odd}'"), "f": odd}).to_string();
    let masked = masker().json(json.as_bytes()).into_owned();
    assert!(!String::from_utf8(masked).unwrap().contains("Hunter2"));
    assert!(
        !masker()
            .body(b"{\"x\":\"--password Hunter2\"} and more")
            .contains("Hunter2")
    );
}

#[test]
fn json_keeps_every_byte_but_the_secret() {
    let json =
        br#"{"n": 1.10, "big":12345678901234567890, "c":"curl -u a:Hunter2 \u0041", "k":[ "x" ]}"#;
    let masked = String::from_utf8(masker().json(json).into_owned()).unwrap();
    assert!(!masked.contains("Hunter2"), "{masked}");
    assert!(
        masked.starts_with(r#"{"n": 1.10, "big":12345678901234567890, "c":"curl -u a:[masked "#)
    );
    assert!(masked.ends_with(r#", "k":[ "x" ]}"#));
    let clean = br#"{"a":"b\"c", "d": null}"#;
    assert!(matches!(masker().json(clean), Cow::Borrowed(_)));
}

#[test]
fn a_huge_value_is_searched_to_its_bound_and_the_rest_is_left_out() {
    let text = format!("{} --password Hunter2", "x".repeat(MAX_VALUE));
    let masked = masker().mask(&text).into_owned();
    assert!(!masked.contains("Hunter2") && masked.len() < MAX_VALUE + 100);
}

#[test]
fn no_recorded_event_is_masked_by_mistake() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/corpus/real-events.ndjson"
    );
    let Ok(events) = std::fs::read_to_string(path) else {
        println!("skipped: the corpus of recorded events is not here");
        return;
    };
    for (number, line) in events.lines().enumerate() {
        let masked = masker().json(line.as_bytes()).into_owned();
        assert_eq!(
            String::from_utf8_lossy(&masked),
            line,
            "line {}",
            number + 1
        );
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_taken_and_masking_twice_changes_nothing(text in "\\PC{0,80}") {
        let once = masker().mask(&text).into_owned();
        let twice = masker().mask(&once).into_owned();
        // A mark is no secret.
        proptest::prop_assert_eq!(twice.matches("[masked ").count(), once.matches("[masked ").count());
    }
}
