use super::*;
use crate::deliver::testing::{notice, retried, send, titled};

#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn printed(format: ConsoleFormat, notice: &Notice) -> String {
    let paper = Paper::default();
    let console = Console::with_output(&ConsoleConfig { format }, paper.clone());
    send(&console, notice).await.unwrap();
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_new_incident_is_its_report_and_a_change_is_a_line() {
    let report = printed(ConsoleFormat::Markdown, &notice(NoticeKind::Open)).await;
    assert!(
        report.starts_with("# Terminal shell in container on node-1\n"),
        "{report}"
    );
    insta::assert_snapshot!(
        printed(ConsoleFormat::Markdown, &notice(NoticeKind::Update)).await,
        @"update: Terminal shell in container on node-1 (2 events, open)"
    );
    insta::assert_snapshot!(
        printed(ConsoleFormat::Text, &notice(NoticeKind::Close)).await,
        @"close: Terminal shell in container on node-1 (2 events, quiet)"
    );
}

#[tokio::test]
async fn json_is_one_object_a_line() {
    let line = printed(ConsoleFormat::Json, &notice(NoticeKind::Open)).await;
    assert_eq!(line.matches('\n').count(), 1);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["severity"], "critical");
    assert_eq!(line["count"], 2);
}

#[tokio::test]
async fn a_terminal_is_never_sent_a_control_character() {
    let mut hostile = titled(NoticeKind::Update, "x\u{1b}[2J\r\ny\u{202e}");
    hostile.report.markdown = "# x\u{1b}]0;owned\u{7}\n".to_owned();
    for (kind, format) in [
        (NoticeKind::Update, ConsoleFormat::Markdown),
        (NoticeKind::Open, ConsoleFormat::Markdown),
        (NoticeKind::Open, ConsoleFormat::Text),
    ] {
        hostile.kind = kind;
        let text = printed(format, &hostile).await;
        let bad = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(bad), "{text:?}");
    }
}

#[tokio::test]
async fn a_closed_pipe_is_tried_again_and_does_not_panic() {
    let console = Console::with_output(&ConsoleConfig::default(), Closed);
    let error = send(&console, &notice(NoticeKind::Open)).await.unwrap_err();
    assert!(retried(&error));
    insta::assert_snapshot!(error, @"standard output is closed");
}

#[test]
fn a_write_that_hangs_holds_up_no_second_thread() {
    let output = Mutex::new(Paper::default());
    let held = output.lock().unwrap();
    let refused = write(&output, "x").unwrap_err();
    drop(held);
    insta::assert_snapshot!(refused, @"standard output takes no more; its reader has stopped");
    write(&output, "x").unwrap();
}
