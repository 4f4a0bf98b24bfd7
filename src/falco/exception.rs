//! The shape and the values of a rule's exceptions.

use serde_json::Value;

use super::condition::compares;
use super::fields::{self, Field};
use super::value::{fits, meaning};

/// What is wrong with the list of exceptions. `append` says that they are added to a rule.
pub(super) fn check(exceptions: &Value, append: bool) -> Result<(), String> {
    let list = exceptions.as_array().ok_or("`exceptions` must be a list")?;
    for exception in list {
        let map = exception
            .as_object()
            .ok_or("an exception must be a mapping")?;
        let name = map
            .get("name")
            .and_then(Value::as_str)
            .ok_or("an exception needs a `name`")?;
        one(map, append).map_err(|wrong| format!("exception `{name}`: {wrong}"))?;
    }
    Ok(())
}

fn one(map: &serde_json::Map<String, Value>, append: bool) -> Result<(), String> {
    if let Some(key) = map
        .keys()
        .find(|key| !matches!(key.as_str(), "name" | "fields" | "comps" | "values"))
    {
        return Err(format!("there is no key `{key}`"));
    }
    let fields = map.get("fields").ok_or(
        "`fields` is missing; the official rules define no exceptions, so an append must name them",
    )?;
    let values = match map.get("values") {
        None | Some(Value::Null) if append => return Err("`values` is missing".to_owned()),
        None => return Ok(()),
        Some(values) => values.as_array().ok_or("`values` must be a list")?,
    };
    if append && values.is_empty() {
        return Err("`values` is empty".to_owned());
    }
    match fields {
        Value::String(field) => single(field, map.get("comps"), values),
        Value::Array(fields) => tuples(fields, map.get("comps"), values),
        _ => Err("`fields` must be a field or a list of fields".to_owned()),
    }
}

fn known(name: &str) -> Result<Field, String> {
    if fields::is_ephemeral(name) {
        return Err(format!(
            "`{name}` changes at every start or event, so this would match once and never again"
        ));
    }
    fields::field(name)
}

/// `fields: proc.name`: a flat list of values, compared with a list operator.
fn single(name: &str, comps: Option<&Value>, values: &[Value]) -> Result<(), String> {
    let field = known(name)?;
    let comp = match comps {
        None => "in",
        Some(comp) => comp
            .as_str()
            .ok_or("with one field, `comps` is one operator")?,
    };
    if compares(comp) != Some(true) {
        return Err(format!(
            "with one field, `comps` must be `in`, `pmatch` or `intersects`, not `{comp}`"
        ));
    }
    values
        .iter()
        .try_for_each(|value| scalar(name, field, comp, value))
}

/// `fields: [a, b]`: tuples of as many values.
fn tuples(names: &[Value], comps: Option<&Value>, values: &[Value]) -> Result<(), String> {
    let names: Vec<&str> = names
        .iter()
        .map(|name| name.as_str().ok_or("`fields` must hold names"))
        .collect::<Result<_, _>>()?;
    let fields: Vec<Field> = names
        .iter()
        .map(|name| known(name))
        .collect::<Result<_, _>>()?;
    let comps: Vec<&str> = match comps {
        None => vec!["="; names.len()],
        Some(comps) => comps
            .as_array()
            .ok_or("`comps` must be a list like `fields`")?
            .iter()
            .map(|comp| comp.as_str().ok_or("`comps` must hold operators"))
            .collect::<Result<_, _>>()?,
    };
    if names.is_empty() || comps.len() != names.len() {
        return Err(format!(
            "`fields` and `comps` must be of equal length ({} and {})",
            names.len(),
            comps.len()
        ));
    }
    for tuple in values {
        let tuple = tuple
            .as_array()
            .ok_or("with several fields, each of `values` is a list")?;
        if tuple.len() != names.len() {
            return Err(format!(
                "a list of {} values for {} fields",
                tuple.len(),
                names.len()
            ));
        }
        for (((name, field), comp), value) in names.iter().zip(&fields).zip(&comps).zip(tuple) {
            let many = compares(comp).ok_or_else(|| operator(comp))?;
            if field.list && !many {
                return Err(format!("`{name}` holds a list; compare it with `in`"));
            }
            match value {
                Value::Array(items) if many => {
                    if items.is_empty() {
                        return Err(format!("the list for `{name}` is empty"));
                    }
                    items
                        .iter()
                        .try_for_each(|item| scalar(name, *field, comp, item))?;
                }
                Value::Array(_) => return Err(format!("`{comp}` takes one value, not a list")),
                value => scalar(name, *field, comp, value)?,
            }
        }
    }
    Ok(())
}

fn operator(comp: &str) -> String {
    match comp {
        "bcontains" | "bstartswith" | "exists" => {
            format!("`{comp}` cannot be used in an exception")
        }
        _ => format!("there is no operator `{comp}`"),
    }
}

fn scalar(name: &str, field: Field, comp: &str, value: &Value) -> Result<(), String> {
    if matches!(comp, "bcontains" | "bstartswith") {
        return Err(operator(comp));
    }
    let many = compares(comp) == Some(true);
    let text = match value {
        Value::String(written) => meaning(written, many)?,
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null => return Err(format!("the value of `{name}` is null")),
        _ => return Err(format!("the value of `{name}` must be a text")),
    };
    if text.is_empty() {
        return Err(format!("the value of `{name}` is empty"));
    }
    let exact = matches!(comp, "=" | "==" | "!=" | "in" | "<" | "<=" | ">" | ">=");
    if exact {
        return fits(field.kind, name == "evt.type", &text);
    }
    if comp == "regex" {
        regex::Regex::new(&text).map_err(|_| format!("`{text}` is no regular expression"))?;
    }
    if text.len() > super::MAX_VALUE_BYTES {
        return Err(format!(
            "a value of `{name}` is longer than {} bytes",
            super::MAX_VALUE_BYTES
        ));
    }
    Ok(())
}
