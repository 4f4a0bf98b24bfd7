//! Text to condition, with a hint for the mistakes that people make.

use super::expr::Expr;
use super::leaf::Leaf;
use super::operator::{Operator, Relation};
use super::scan::{KEYWORDS, Scanner};
use super::{Condition, ConditionError};

type Result<T> = std::result::Result<T, ConditionError>;

pub(super) fn parse(source: &str) -> Result<Expr> {
    let mut parser = Parser {
        scan: Scanner::new(source),
        depth: 0,
    };
    if source.len() > Condition::MAX_LEN {
        return Err(parser.error(0, too_long()));
    }
    let expr = parser.or()?;
    match parser.scan.rest() {
        "" => {}
        rest if rest.starts_with(')') => return Err(parser.error_here("this `)` has no `(`")),
        _ => return Err(parser.unexpected()),
    }
    // The canonical form holds more blanks, quotes and parentheses than the source may; it has to
    // keep the limits too, or what was accepted would not be accepted again.
    if expr.printed_depth() > Condition::MAX_DEPTH {
        return Err(parser.error(0, too_deep()));
    }
    if expr.to_string().len() > Condition::MAX_LEN {
        return Err(parser.error(0, too_long()));
    }
    Ok(expr)
}

fn too_long() -> String {
    let limit = Condition::MAX_LEN;
    format!("a condition holds at most {limit} bytes; split the route or use `in (...)`")
}

fn too_deep() -> String {
    let limit = Condition::MAX_DEPTH;
    format!("nested deeper than {limit}; split the route or use `in (...)`")
}

struct Parser<'a> {
    scan: Scanner<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn or(&mut self) -> Result<Expr> {
        let mut parts = vec![self.and()?];
        while self.scan.take_word("or") {
            parts.push(self.and()?);
        }
        Ok(Expr::or(parts))
    }

    fn and(&mut self) -> Result<Expr> {
        let mut parts = vec![self.not()?];
        while self.scan.take_word("and") {
            parts.push(self.not()?);
        }
        Ok(Expr::and(parts))
    }

    /// Leaves the scanner at the next word, blanks skipped.
    fn not(&mut self) -> Result<Expr> {
        self.scan.skip_blanks();
        let start = self.scan.at;
        let expr = if self.scan.take_word("not") {
            self.deeper(start)?;
            let inner = self.not()?;
            self.depth -= 1;
            Expr::Not(Box::new(inner))
        } else if self.scan.take("(") {
            self.deeper(start)?;
            let inner = self.or()?;
            self.depth -= 1;
            if self.scan.rest().is_empty() {
                return Err(self.error(start, "this `(` is not closed"));
            }
            if !self.scan.take(")") {
                return Err(self.unexpected());
            }
            inner
        } else {
            Expr::Leaf(self.leaf()?)
        };
        self.scan.skip_blanks();
        Ok(expr)
    }

    fn deeper(&mut self, at: usize) -> Result<()> {
        self.depth += 1;
        if self.depth > Condition::MAX_DEPTH {
            return Err(self.error(at, too_deep()));
        }
        Ok(())
    }

    fn leaf(&mut self) -> Result<Leaf> {
        let start = self.scan.at;
        let field = self.scan.take_field();
        if field.is_empty() || KEYWORDS.contains(&field) || is_shouted(field) {
            self.scan.at = start;
            return Err(self.no_field());
        }
        if self.scan.rest().starts_with('(') {
            let message = format!("functions such as `{field}(...)` are not known here");
            return Err(self.error(start, message));
        }
        self.scan.skip_blanks();
        let operator_at = self.scan.at;
        let operator = self.operator(field, start)?;
        self.scan.skip_blanks();
        let (places, values) = self.values(operator)?;
        Leaf::try_new(field, operator, &values).map_err(|misfit| {
            self.error(
                places.get(misfit.index).copied().unwrap_or(operator_at),
                misfit.message,
            )
        })
    }

    fn operator(&mut self, field: &str, start: usize) -> Result<Operator> {
        let rest = self.scan.rest();
        let word = self.scan.word();
        for (mistake, hint) in MISTAKEN_SYMBOLS {
            if rest.starts_with(mistake) {
                return Err(
                    self.error_here(format!("`{}` is not known here; {hint}", mistake.trim()))
                );
            }
        }
        if self.scan.take("==") {
            return Ok(Operator::Compare(Relation::Equal));
        }
        for operator in Operator::ALL {
            let found = if operator.is_symbol() {
                self.scan.take(operator.word())
            } else {
                word == operator.word() && self.scan.take(word)
            };
            if found {
                return Ok(operator);
            }
        }
        if rest.is_empty() || rest.starts_with(')') || matches!(word, "and" | "or") {
            return Err(self.error(start, alone(field)));
        }
        if word == "not" {
            let message = format!("`not` stands before the field: not {field} in (...)");
            return Err(self.error_here(message));
        }
        Err(self.unknown_operator(word))
    }

    fn unknown_operator(&self, word: &str) -> ConditionError {
        let lower = word.to_lowercase();
        if Operator::ALL
            .iter()
            .any(|operator| operator.word() == lower)
            || is_shouted(word)
        {
            return self.error_here(format!("write `{lower}` in lower case"));
        }
        if let Some((_, hint)) = MISTAKEN_WORDS.iter().find(|(mistake, _)| *mistake == lower) {
            return self.error_here(format!("`{word}` is not known here; {hint}"));
        }
        let message = if word.is_empty() {
            format!("expected an operator after the field, {OPERATORS}")
        } else {
            format!("`{word}` is no operator; {OPERATORS}")
        };
        self.error_here(message)
    }

    /// The values after an operator, with where each begins.
    fn values(&mut self, operator: Operator) -> Result<(Vec<usize>, Vec<String>)> {
        if operator == Operator::Exists {
            return Ok((Vec::new(), Vec::new()));
        }
        let word = operator.word();
        let open = self.scan.at;
        if !operator.takes_list() || operator == Operator::PathMatch {
            if let Some(value) = self.value()? {
                return Ok((vec![open], vec![value]));
            }
            if !operator.takes_list() && self.scan.rest().starts_with('(') {
                let several = if operator.is_symbol() {
                    "for several write `in (...)`"
                } else {
                    "join several comparisons with `or`"
                };
                return Err(self.error_here(format!("`{word}` takes one value; {several}")));
            }
        }
        if !self.scan.take("(") {
            let message = match word {
                word if operator.takes_list() => {
                    format!("`{word}` takes a list in parentheses: {word} (a, b)")
                }
                word => format!("expected a value after `{word}`"),
            };
            return Err(self.error_here(message));
        }
        let mut places = Vec::new();
        let mut values = Vec::new();
        loop {
            self.scan.skip_blanks();
            places.push(self.scan.at);
            let Some(value) = self.scan.take_value()? else {
                return Err(self.error_here("expected a value in the list"));
            };
            values.push(value);
            self.scan.skip_blanks();
            if self.scan.take(")") {
                return Ok((places, values));
            }
            if self.scan.rest().is_empty() {
                return Err(self.error(open, "this list is not closed"));
            }
            if !self.scan.take(",") {
                let message = "expected `,` or `)`; a value with blanks or signs needs quotes";
                return Err(self.error_here(message));
            }
        }
    }

    /// One value outside a list; a word of the language there means that the value is missing.
    fn value(&mut self) -> Result<Option<String>> {
        let start = self.scan.at;
        let quoted = self.scan.rest().starts_with(['"', '\'']);
        let value = self.scan.take_value()?;
        if let Some(word) = value.as_deref()
            && !quoted
            && KEYWORDS.contains(&word)
        {
            let message = format!("expected a value; if `{word}` is meant, put it in quotes");
            return Err(self.error(start, message));
        }
        Ok(value)
    }

    /// What is wrong where a comparison should begin.
    fn no_field(&self) -> ConditionError {
        let rest = self.scan.rest();
        let word = self.scan.word();
        if rest.is_empty() {
            return self.error_here("expected a condition, such as: priority >= warning");
        }
        if is_shouted(word) {
            return self.error_here(format!("write `{}` in lower case", word.to_lowercase()));
        }
        self.error_here(match rest.chars().next() {
            Some('!') => "write `not` instead of `!`".to_owned(),
            Some('"' | '\'') => "expected a field; only values stand in quotes".to_owned(),
            Some('%') => "write the field without `%`".to_owned(),
            Some('#') => "a condition holds no comments".to_owned(),
            _ => "expected a field, such as proc.name".to_owned(),
        })
    }

    /// What is wrong where `and`, `or`, `)` or the end should come.
    fn unexpected(&self) -> ConditionError {
        let rest = self.scan.rest();
        let word = self.scan.word();
        if is_shouted(word) {
            return self.error_here(format!("write `{}` in lower case", word.to_lowercase()));
        }
        self.error_here(match rest.chars().next() {
            Some('&') => "write `and` instead of `&&`",
            Some('|') => "write `or` instead of `||`",
            Some('=' | '"' | '\'' | '(' | ',') => "a value with such a sign needs quotes",
            _ => "expected `and`, `or` or the end; a value with blanks needs quotes",
        })
    }

    fn error(&self, at: usize, message: impl Into<String>) -> ConditionError {
        self.scan.error(at, message)
    }

    fn error_here(&self, message: impl Into<String>) -> ConditionError {
        self.error(self.scan.at, message)
    }
}

/// `AND`, `Or`, `NOT`: a word of the language, but for its case.
fn is_shouted(word: &str) -> bool {
    KEYWORDS
        .iter()
        .any(|keyword| keyword.eq_ignore_ascii_case(word) && *keyword != word)
}

fn alone(field: &str) -> String {
    if field == "container" {
        "Falco's macros are not known here; write `container.id != host`".to_owned()
    } else if field.contains('.') {
        format!("a field alone is no condition; write `{field} = true` or `{field} exists`")
    } else {
        format!("`{field}` alone is no condition; Falco's macros are not known here, only fields")
    }
}

const OPERATORS: &str = "use one of = != < <= > >= in intersects contains icontains startswith \
    endswith glob regex pmatch exists";

const MISTAKEN_SYMBOLS: [(&str, &str); 6] = [
    ("=~", "use `regex` (it matches the whole value)"),
    ("!~", "use `not FIELD regex` (it matches the whole value)"),
    ("===", "use `=`"),
    ("<>", "use `!=`"),
    // With a blank: a value may begin with these, as in `=<unknown>`.
    ("=> ", "use `>=`"),
    ("=< ", "use `<=`"),
];

const MISTAKEN_WORDS: [(&str, &str); 11] = [
    (
        "matches",
        "use `regex` (it matches the whole value) or `glob`",
    ),
    (
        "match",
        "use `regex` (it matches the whole value) or `glob`",
    ),
    ("like", "use `glob` or `contains`"),
    ("is", "use `=`"),
    ("eq", "use `=`"),
    ("ne", "use `!=`"),
    ("iglob", "use `regex` with (?i)"),
    ("bcontains", "use `contains`"),
    ("bstartswith", "use `startswith`"),
    ("starts_with", "use `startswith`"),
    ("ends_with", "use `endswith`"),
];
