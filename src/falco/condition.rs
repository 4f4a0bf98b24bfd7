//! The syntax of conditions, as Falco's own parser takes it.
//!
//! Herald's routing conditions (`route`) are a different language on the same operators: here macros
//! and lists exist, and nothing is evaluated.

use super::fields::{self, Field};
use super::value::{self, unquoted};

/// Operators that compare text or numbers with one value.
const ONE: [&str; 16] = [
    "=",
    "==",
    "!=",
    "<=",
    "<",
    ">=",
    ">",
    "contains",
    "icontains",
    "bcontains",
    "startswith",
    "bstartswith",
    "endswith",
    "glob",
    "iglob",
    "regex",
];

/// Operators that compare with a list.
const MANY: [&str; 3] = ["in", "intersects", "pmatch"];

/// What a condition uses.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// Macros, by name.
    pub(super) macros: Vec<String>,
    /// Whether `evt.type` is compared.
    pub(super) event_type: bool,
}

/// Whether a word compares with one value, a list, or not at all.
pub(super) fn compares(operator: &str) -> Option<bool> {
    if ONE.contains(&operator) {
        Some(false)
    } else if MANY.contains(&operator) {
        Some(true)
    } else {
        None
    }
}

/// Reads a whole condition.
pub(super) fn parse(text: &str) -> Result<Used, String> {
    let mut parser = Parser {
        rest: text.trim(),
        used: Used::default(),
        depth: 0,
    };
    if parser.rest.is_empty() {
        return Err("the condition is empty".to_owned());
    }
    parser.either()?;
    parser.space();
    if parser.rest.is_empty() {
        Ok(parser.used)
    } else {
        Err(format!(
            "expected `and`, `or` or the end before {}",
            parser.seen()
        ))
    }
}

struct Parser<'t> {
    rest: &'t str,
    used: Used,
    depth: u32,
}

impl<'t> Parser<'t> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn seen(&self) -> String {
        let seen: String = self.rest.chars().take(24).collect();
        if seen.is_empty() {
            "the end".to_owned()
        } else {
            format!("`{seen}`")
        }
    }

    /// Takes a keyword that stands alone.
    fn keyword(&mut self, word: &str) -> bool {
        self.space();
        let Some(rest) = self.rest.strip_prefix(word) else {
            return false;
        };
        let ends = rest.starts_with(|c: char| c.is_whitespace() || c == '(');
        if ends {
            self.rest = rest;
        }
        ends
    }

    fn either(&mut self) -> Result<(), String> {
        self.both()?;
        while self.keyword("or") {
            self.both()?;
        }
        Ok(())
    }

    fn both(&mut self) -> Result<(), String> {
        self.one()?;
        while self.keyword("and") {
            self.one()?;
        }
        Ok(())
    }

    fn one(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > 100 {
            return Err("the condition is nested too deeply".to_owned());
        }
        let result = if self.keyword("not") {
            self.one()
        } else if let Some(rest) = self.rest.strip_prefix('(') {
            self.rest = rest;
            self.either()?;
            self.space();
            match self.rest.strip_prefix(')') {
                Some(rest) => {
                    self.rest = rest;
                    Ok(())
                }
                None => Err(format!("expected `)` before {}", self.seen())),
            }
        } else {
            self.comparison()
        };
        self.depth -= 1;
        result
    }

    /// A name: letters, digits and `._`, with an argument in brackets.
    fn name(&mut self) -> &'t str {
        let mut end = 0;
        let mut bracket = false;
        for (at, c) in self.rest.char_indices() {
            let inside = bracket && c != ']';
            if !(inside || c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '[' | ']')) {
                break;
            }
            bracket = inside || c == '[';
            end = at + c.len_utf8();
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    fn comparison(&mut self) -> Result<(), String> {
        self.space();
        let before = self.rest;
        let name = self.name();
        if name.is_empty() {
            return Err(format!(
                "expected a field or a macro before {}",
                self.seen()
            ));
        }
        if !name.contains('.') {
            return self.bare(name, before);
        }
        let field = fields::field(name)?;
        if field.print {
            return Err(format!("the field `{name}` can only be printed"));
        }
        self.space();
        let operator = self.operator();
        self.used.event_type |= name == "evt.type";
        if operator == "exists" {
            return Ok(());
        }
        match compares(operator) {
            None => Err(format!(
                "expected an operator after `{name}` before `{operator}`{}",
                hint(operator, self.rest)
            )),
            Some(false) if field.list => Err(format!(
                "`{name}` holds a list; compare it with `in` or `intersects`"
            )),
            Some(false) => self.value(name, field, operator),
            Some(true) => self.values(name, field),
        }
    }

    /// A name without a dot is a macro, unless it is a word of another language.
    fn bare(&mut self, name: &str, before: &str) -> Result<(), String> {
        if self.rest.starts_with('(') {
            let newer =
                "functions around fields are only known to Falco 0.44 and newer, or not at all";
            return Err(format!("`{name}(`: {newer}"));
        }
        self.space();
        let word = matches!(name, "and" | "or" | "not" | "in" | "AND" | "OR" | "NOT");
        let operator = self.rest.split_whitespace().next().unwrap_or_default();
        if word || compares(operator).is_some() && !matches!(operator, "in" | "contains") {
            return Err(format!(
                "`{name}` is no field, before `{}`",
                before.chars().take(24).collect::<String>()
            ));
        }
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.contains(['[', ']']) {
            return Err(format!("`{name}` is no macro's name"));
        }
        self.used.macros.push(name.to_owned());
        Ok(())
    }

    fn operator(&mut self) -> &'t str {
        for symbol in ["==", "!=", "<=", ">=", "=", "<", ">"] {
            if let Some(rest) = self.rest.strip_prefix(symbol) {
                let (operator, _) = self.rest.split_at(symbol.len());
                self.rest = rest;
                return operator;
            }
        }
        let end = self
            .rest
            .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')'))
            .unwrap_or(self.rest.len());
        let (operator, rest) = self.rest.split_at(end);
        self.rest = rest;
        operator
    }

    fn value(&mut self, name: &str, field: Field, operator: &str) -> Result<(), String> {
        self.space();
        if self.rest.starts_with('(') {
            return Err(format!("`{operator}` takes one value, not a list"));
        }
        let first = self.rest.split([' ', '(']).next().unwrap_or_default();
        if matches!(first, "oneof" | "anyof" | "allof") {
            return Err(format!("`{first}` is only known to Falco 0.44 and newer"));
        }
        let text = self.text()?;
        if operator == "regex" {
            regex::Regex::new(&text).map_err(|_| format!("`{text}` is no regular expression"))?;
        }
        let ordered = matches!(operator, "<" | "<=" | ">" | ">=");
        if ordered && text.parse::<f64>().is_err() && !text.starts_with("0x") {
            return Err(format!(
                "`{operator}` compares with a number, not with `{text}`"
            ));
        }
        let exact = matches!(operator, "=" | "==" | "!=") || ordered;
        if exact {
            value::fits(field.kind, name == "evt.type", &text)?;
        }
        if text.len() > value::MAX_VALUE_BYTES {
            return Err(format!(
                "a value is longer than {} bytes",
                value::MAX_VALUE_BYTES
            ));
        }
        Ok(())
    }

    fn values(&mut self, name: &str, field: Field) -> Result<(), String> {
        self.space();
        let Some(rest) = self.rest.strip_prefix('(') else {
            if self.rest.starts_with('[') {
                return Err("a list stands in round brackets".to_owned());
            }
            let list = self.text()?;
            return if list.starts_with(|c: char| c.is_ascii_alphabetic()) {
                Ok(())
            } else {
                Err(format!("expected a list before `{list}`"))
            };
        };
        self.rest = rest;
        loop {
            self.space();
            if let Some(rest) = self.rest.strip_prefix(')') {
                self.rest = rest;
                return Ok(());
            }
            let is_quoted = self.rest.starts_with(['"', '\'']);
            let text = self.text()?;
            // A bare word may be a list; whether it exists, the engine does not check.
            let may_be_list = !is_quoted && text.starts_with(|c: char| c.is_ascii_lowercase());
            if !may_be_list {
                value::fits(field.kind, name == "evt.type", &text)?;
            }
            self.space();
            match self.rest.chars().next() {
                Some(',') => self.rest = self.rest.get(1..).unwrap_or_default(),
                Some(')') => {}
                _ => return Err(format!("expected `,` or `)` before {}", self.seen())),
            }
        }
    }

    /// One value, quoted or bare.
    fn text(&mut self) -> Result<String, String> {
        let quote = self.rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let end = match quote {
            Some(quote) => {
                let mut escaped = false;
                let close = self.rest.char_indices().skip(1).find(|(_, c)| {
                    let closes = *c == quote && !escaped;
                    escaped = *c == '\\' && !escaped;
                    closes
                });
                close.map(|(at, _)| at + 1).ok_or("a quote is not closed")?
            }
            None => self
                .rest
                .find(|c: char| {
                    c.is_whitespace() || matches!(c, '(' | ')' | ',' | '=' | '"' | '\'')
                })
                .unwrap_or(self.rest.len()),
        };
        if end == 0 {
            return Err(format!("expected a value before {}", self.seen()));
        }
        let (written, rest) = self.rest.split_at(end);
        self.rest = rest;
        if quote.is_some() {
            unquoted(written)
        } else {
            Ok(written.to_owned())
        }
    }
}

/// What people write who think of another language.
fn hint(operator: &str, rest: &str) -> &'static str {
    match operator {
        "not" if rest.trim_start().starts_with("in") => "; write `not field in (...)`",
        "" | "and" | "or" => "; a boolean field is compared: `= true`",
        "matches" | "like" => "; use `regex`, `glob` or `contains`",
        "&&" | "||" => "; use `and` and `or`",
        _ => "",
    }
}
