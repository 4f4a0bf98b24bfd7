//! Event text for products that pass it on to others: pagers, alert managers, push services.
//!
//! Such a product shows the text itself and hands it to mail, chat or SMS in formats that nobody
//! here can know. So nothing of it may be live anywhere: hidden characters are marks, addresses are
//! dead, and what begins HTML or the mentions of chats (`<`, `>`, `@`) is a look-alike.

use super::defang::defang;
use super::visible::{one_line, truncate, visible};

/// One line of at most `max` characters.
pub fn line(text: &str, max: usize) -> String {
    truncate(&dead(&one_line(text)), max).into_owned()
}

/// The title of a report as one line, which is never empty.
pub fn title(text: &str, max: usize) -> String {
    let title = line(text.trim(), max);
    if title.is_empty() {
        "A Falco alert".to_owned()
    } else {
        title
    }
}

/// Text that keeps its lines, of at most `max` characters.
pub fn block(text: &str, max: usize) -> String {
    truncate(&dead(&visible(text)), max).into_owned()
}

fn dead(text: &str) -> String {
    defang(text)
        .replace('<', "‹")
        .replace('>', "›")
        .replace('@', "＠")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::testing::{corpus, hostile_text};
    use proptest::prelude::*;

    #[test]
    fn nothing_is_live_and_plain_words_stay() {
        for (raw, shown) in [
            ("<!channel> a\nb", r"‹!channel› a\u{A}b"),
            ("curl https://evil.example", "curl hxxps://evil.example"),
            ("@everyone", "＠everyone"),
            ("a\u{202e}gnp.exe", r"a\u{202E}gnp.exe"),
            ("bash -c 'id' & true", "bash -c 'id' & true"),
        ] {
            assert_eq!(line(raw, 100), shown);
        }
        assert_eq!(block("a\nb", 100), "a\nb");
    }

    fn live(text: &str) -> bool {
        let lower = text.to_lowercase();
        text.contains(['<', '>', '@']) || lower.contains("http://") || lower.contains("https://")
    }

    #[test]
    fn no_value_of_the_corpus_is_live() {
        for row in corpus() {
            assert!(!live(&line(&row.value, 2_000)), "{}", row.id);
            assert!(!live(&block(&row.value, 2_000)), "{}", row.id);
        }
    }

    proptest! {
        #[test]
        fn the_limit_is_kept_and_nothing_is_live(text in hostile_text(), max in 0_usize..40) {
            let line = line(&text, max);
            prop_assert!(line.chars().count() <= max && !live(&line));
            prop_assert!(!line.contains(char::is_control));
            prop_assert!(!live(&block(&text, max)));
        }
    }
}
