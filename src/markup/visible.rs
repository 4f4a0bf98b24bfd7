//! Characters that lie are shown as marks: what cannot be seen, moves the cursor or reorders text.
//!
//! The notation can be undone. A hidden character becomes `\u{202E}` (upper-case hex, no padding).
//! A run of backslashes that stands right before such a mark, or before a literal `u{`, is doubled:
//! an odd run before `u{` means a mark, an even run means text. All other backslashes stay single,
//! so `C:\Windows` reads as it was written.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_segmentation::UnicodeSegmentation;

/// The text with every hidden character as a mark; newlines and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    mark(text, false).0
}

/// Like [`visible`], with newlines and tabs as marks too, for slots of one line.
pub fn one_line(text: &str) -> Cow<'_, str> {
    mark(text, true).0
}

/// Whether the text is one line without hidden characters: what is seen is what is there.
pub fn is_plain(text: &str) -> bool {
    mark(text, true).1 == 0
}

/// Appends the mark for one character.
pub(super) fn push_mark(out: &mut String, c: char) {
    write!(out, "\\u{{{:X}}}", u32::from(c)).expect("writing to a String cannot fail");
}

/// At most `max` characters (Unicode scalar values): the head, how long the whole is, the tail.
/// Cuts fall between graphemes.
pub fn truncate(text: &str, max: usize) -> Cow<'_, str> {
    let total = text.chars().count();
    if total <= max {
        return Cow::Borrowed(text);
    }
    let gap = format!(" … {total} characters … ");
    let Some(room) = max.checked_sub(gap.chars().count()) else {
        return Cow::Owned(fit(text.graphemes(true), max).concat());
    };
    // Two thirds for the head: commands and paths say most at their start.
    let head = fit(text.graphemes(true), room - room / 3).concat();
    let mut tail = fit(text.graphemes(true).rev(), room / 3);
    tail.reverse();
    Cow::Owned(head + &gap + &tail.concat())
}

/// The leading graphemes that together hold at most `max` characters.
fn fit<'a>(graphemes: impl Iterator<Item = &'a str>, max: usize) -> Vec<&'a str> {
    let mut left = max;
    graphemes
        .map_while(|grapheme| {
            left = left.checked_sub(grapheme.chars().count())?;
            Some(grapheme)
        })
        .collect()
}

/// More combining marks than this on one letter climb over the neighbouring lines.
const MAX_STACK: usize = 8;

/// The flags of England, Scotland and Wales: the only tag sequences in use. Any other run of tag
/// characters is ASCII that nobody sees.
const TAG_FLAGS: [&str; 3] = [
    "\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
    "\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
    "\u{1F3F4}\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
];

/// The text with its marks, and how many there are.
fn mark(text: &str, one_line: bool) -> (Cow<'_, str>, usize) {
    let plain = |byte: u8| match byte {
        b'\n' | b'\t' => !one_line,
        _ => byte == b' ' || byte.is_ascii_graphic(),
    };
    if text.bytes().all(plain) && !text.contains("u{") {
        return (Cow::Borrowed(text), 0);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut marks = 0;
    let mut backslashes = 0_usize;
    let mut previous = '\0';
    let mut stack = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let rest = chars.as_str();
        if c == '\\' {
            backslashes += 1;
            previous = c;
            continue;
        }
        stack = if is_combining(c) { stack + 1 } else { 0 };
        let next = rest.chars().next();
        let hide = match c {
            '\n' | '\t' => one_line,
            _ => stack > MAX_STACK || is_hidden(previous, c, next),
        };
        let doubled = hide || (c == 'u' && next == Some('{'));
        let count = if doubled {
            backslashes * 2
        } else {
            backslashes
        };
        out.extend(std::iter::repeat_n('\\', count));
        backslashes = 0;
        if hide {
            push_mark(&mut out, c);
            marks += 1;
        } else {
            out.push(c);
        }
        previous = c;
        if c == '\u{1F3F4}' {
            let flag = TAG_FLAGS.iter().filter_map(|flag| flag.strip_prefix(c));
            for tags in flag {
                if let Some(after) = rest.strip_prefix(tags) {
                    out.push_str(tags);
                    chars = after.chars();
                    break;
                }
            }
        }
    }
    out.extend(std::iter::repeat_n('\\', backslashes));
    (Cow::Owned(out), marks)
}

/// Whether `c` is invisible or changes how its neighbours are shown. The neighbours decide about
/// joiners and variation selectors, which natural text and emoji need.
fn is_hidden(previous: char, c: char, next: Option<char>) -> bool {
    match c {
        '\u{200C}' | '\u{200D}' => {
            let natural = |c| needs_joiners(c);
            let emoji = is_emoji(previous) || matches!(previous, '\u{FE0F}' | '\u{20E3}');
            !(natural(previous) && next.is_some_and(natural)
                || c == '\u{200D}' && emoji && next.is_some_and(is_emoji))
        }
        '\u{FE0E}' | '\u{FE0F}' => {
            let keycap = matches!(previous, '0'..='9' | '#' | '*') && next == Some('\u{20E3}');
            !(is_emoji(previous) || keycap)
        }
        '\u{E0100}'..='\u{E01EF}' => !is_ideograph(previous),
        '\u{FDD0}'..='\u{FDEF}' => true,
        _ => u32::from(c) & 0xFFFE == 0xFFFE || is_always_hidden(c),
    }
}

fn is_always_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1F}' | '\u{7F}'..='\u{9F}' // C0, DEL, C1
        | '\u{2028}' | '\u{2029}' // line and paragraph separator
        | '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' // direction
        | '\u{2065}'..='\u{206F}' // isolates, deprecated format characters
        | '\u{AD}' | '\u{34F}' | '\u{180B}'..='\u{180F}' // soft hyphen, joiner, Mongolian selectors
        | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' // zero width
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
        | '\u{17B4}' | '\u{17B5}' | '\u{2800}' // Khmer inherent vowels, braille blank
        | '\u{FE00}'..='\u{FE0D}' | '\u{FFF0}'..='\u{FFFB}' // selectors, annotation
        | '\u{13430}'..='\u{1345F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}' // tags, selectors
    )
}

fn is_combining(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{1AB0}'..='\u{1AFF}'
        | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}'
    )
}

/// Scripts whose spelling uses joiners: Arabic and its neighbours, those of India, Myanmar, Khmer,
/// Mongolian.
fn needs_joiners(c: char) -> bool {
    matches!(c,
        '\u{620}'..='\u{8FF}' | '\u{900}'..='\u{DFF}' | '\u{1000}'..='\u{109F}'
        | '\u{1780}'..='\u{17B3}' | '\u{17B6}'..='\u{17FF}' | '\u{1820}'..='\u{18AF}'
    )
}

fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{25A0}'..='\u{27BF}'
        | '\u{2900}'..='\u{297F}' | '\u{2B00}'..='\u{2BFF}'
        | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FAFF}'
    )
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::markup::testing::{corpus, hostile_text};
    use proptest::prelude::*;

    /// Undoes the marks, to prove that nothing is lost.
    fn restore(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(start) = rest.find('\\') {
            let (before, from) = rest.split_at(start);
            out.push_str(before);
            let after = from.trim_start_matches('\\');
            let run = from.len() - after.len();
            rest = after;
            let Some(hex) = after.strip_prefix("u{") else {
                out.extend(std::iter::repeat_n('\\', run));
                continue;
            };
            out.extend(std::iter::repeat_n('\\', run / 2));
            if run % 2 == 1 {
                let (code, after) = hex.split_once('}').unwrap();
                out.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                rest = after;
            }
        }
        out + rest
    }

    #[test]
    fn hidden_characters_become_marks() {
        for (raw, shown) in [
            ("photo\u{202e}gnp.exe", r"photo\u{202E}gnp.exe"),
            ("su\u{200b}do", r"su\u{200B}do"),
            ("su\u{200c}do\u{200d}", r"su\u{200C}do\u{200D}"),
            ("\u{1b}[2J", r"\u{1B}[2J"),
            ("\u{3164}", r"\u{3164}"),
            ("ls\u{e0069}", r"ls\u{E0069}"),
            ("ls\u{fe0f}", r"ls\u{FE0F}"),
            ("\u{fdd0}\u{ffff}\u{1fffe}", r"\u{FDD0}\u{FFFF}\u{1FFFE}"),
            ("a\u{2028}b\u{85}c", r"a\u{2028}b\u{85}c"),
        ] {
            assert_eq!(visible(raw), shown);
        }
        assert_eq!(one_line("a\nb\tc"), r"a\u{A}b\u{9}c");
        assert_eq!(visible("a\nb\tc"), "a\nb\tc");
    }

    #[test]
    fn natural_text_and_emoji_stay_as_they_are() {
        for text in [
            "日本語.txt",
            "файл.txt",
            "ملف",
            "naïve cafe\u{301}",
            "नमस्ते",
            "می\u{200c}خواهم",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "👍🏽",
            "🇩🇪",
            TAG_FLAGS[1],
            "葛\u{e0100}",
            r"C:\Windows\system32\cmd.exe",
            r"\\server\share",
            "{u}",
        ] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn a_literal_mark_differs_from_a_real_one() {
        assert_eq!(visible(r"\u{202E}"), r"\\u{202E}");
        assert_eq!(visible("\\\u{202e}"), r"\\\u{202E}");
        assert_eq!(visible(r"u{202E}"), r"u{202E}");
    }

    #[test]
    fn a_stack_of_accents_ends() {
        let zalgo = format!("e{}", "\u{301}".repeat(20));
        assert_eq!(visible(&zalgo).matches(r"\u{301}").count(), 12);
    }

    #[test]
    fn truncation_shows_head_tail_and_length() {
        let long = "a".repeat(50) + &"b".repeat(50);
        assert_eq!(
            truncate(&long, 40),
            "aaaaaaaaaaaaaa … 100 characters … bbbbbb"
        );
        assert_eq!(truncate("short", 5), "short");
        assert_eq!(truncate(&long, 3), "aaa");
        let family = "👨\u{200d}👩\u{200d}👧".repeat(20);
        assert!(
            truncate(&family, 40).starts_with("👨\u{200d}👩\u{200d}👧👨\u{200d}👩\u{200d}👧 …")
        );
    }

    #[test]
    fn corpus_values_are_visible_and_benign_ones_unchanged() {
        for row in corpus() {
            let shown = one_line(&row.value);
            assert!(!shown.chars().any(char::is_control), "{}", row.id);
            assert_eq!(restore(&shown), row.value, "{}", row.id);
            if row.must_survive {
                assert_eq!(shown, row.value, "{}", row.id);
            }
        }
    }

    proptest! {
        #[test]
        fn marks_can_be_undone(text in hostile_text()) {
            prop_assert_eq!(restore(&visible(&text)), text.clone());
            prop_assert_eq!(restore(&one_line(&text)), text);
        }

        #[test]
        fn truncation_keeps_the_limit(text in hostile_text(), max in 0_usize..60) {
            prop_assert!(truncate(&text, max).chars().count() <= max);
        }
    }
}
