//! Where JSON values begin and end in a body: to cut it into events byte for byte.
//!
//! This is not a parser. It follows brackets and strings, on bytes, because a body need not be valid
//! UTF-8; whether a value is JSON is judged by `serde_json` afterwards. It does not recurse.

/// Why a body cannot be cut.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScanError {
    /// A value does not begin with `{` or `[`.
    #[error("expected an object or an array of objects")]
    NotAnObject,
    /// The body ends inside a value.
    #[error("the body ends in the middle of a value")]
    Unfinished,
    /// Brackets do not match, or something stands where a comma belongs.
    #[error("brackets or commas do not match")]
    Mismatch,
    /// Brackets inside brackets without end.
    #[error("nested too deeply")]
    TooDeep,
}

/// The body without JSON white space around it.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes
        .iter()
        .position(|byte| !is_space(*byte))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|byte| !is_space(*byte))
        .map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

/// The objects and arrays that stand one after the other in a body.
pub(super) fn values(body: &[u8], max_depth: usize) -> Result<Vec<&[u8]>, ScanError> {
    let mut values = Vec::new();
    let mut rest = trim(body);
    while !rest.is_empty() {
        let end = end_of(rest, max_depth)?;
        let (value, tail) = rest.split_at(end);
        values.push(value);
        rest = trim(tail);
    }
    Ok(values)
}

/// The elements of an array that [`values`] returned. An element that is missing between commas is
/// returned as an empty slice, which no parser accepts.
pub(super) fn elements(array: &[u8]) -> Vec<&[u8]> {
    let inner = array
        .get(1..array.len().saturating_sub(1))
        .unwrap_or_default();
    if trim(inner).is_empty() {
        return Vec::new();
    }
    parts(inner).into_iter().map(trim).collect()
}

/// The value of the last member with this name; names with escapes are not seen.
pub(super) fn member<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let inner = object.get(1..object.len().saturating_sub(1))?;
    let mut members = parts(inner).into_iter().rev();
    members.find_map(|member| {
        let member = trim(member).strip_prefix(b"\"")?.strip_prefix(name)?;
        let value = trim(member.strip_prefix(b"\"")?).strip_prefix(b":")?;
        Some(trim(value))
    })
}

/// What stands between the commas of the first level.
fn parts(inner: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut depth = 0_usize;
    let mut start = 0;
    let mut scanner = Scanner::default();
    for (at, byte) in inner.iter().enumerate() {
        match scanner.next(*byte) {
            Token::Open(_) => depth += 1,
            Token::Close(_) => depth = depth.saturating_sub(1),
            Token::Other if *byte == b',' && depth == 0 && !scanner.in_string => {
                parts.push(inner.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            Token::Other => {}
        }
    }
    parts.push(inner.get(start..).unwrap_or_default());
    parts
}

/// The length of the value that begins here.
fn end_of(bytes: &[u8], max_depth: usize) -> Result<usize, ScanError> {
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        return Err(ScanError::NotAnObject);
    }
    let mut open = Vec::new();
    let mut scanner = Scanner::default();
    for (at, byte) in bytes.iter().enumerate() {
        match scanner.next(*byte) {
            Token::Open(closer) if open.len() == max_depth => {
                debug_assert!(matches!(closer, b'}' | b']'));
                return Err(ScanError::TooDeep);
            }
            Token::Open(closer) => open.push(closer),
            Token::Close(closer) => {
                if open.pop() != Some(closer) {
                    return Err(ScanError::Mismatch);
                }
                if open.is_empty() {
                    return Ok(at + 1);
                }
            }
            Token::Other => {}
        }
    }
    Err(ScanError::Unfinished)
}

enum Token {
    /// An opening bracket, with the one that closes it.
    Open(u8),
    /// A closing bracket.
    Close(u8),
    Other,
}

#[derive(Default)]
struct Scanner {
    in_string: bool,
    escaped: bool,
}

impl Scanner {
    fn next(&mut self, byte: u8) -> Token {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Token::Other;
        }
        match byte {
            b'"' => {
                self.in_string = true;
                Token::Other
            }
            b'{' => Token::Open(b'}'),
            b'[' => Token::Open(b']'),
            b'}' | b']' => Token::Close(byte),
            _ => Token::Other,
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}
