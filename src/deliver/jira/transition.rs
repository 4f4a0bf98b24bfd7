//! The way to another status: workflows differ, so it is chosen by what the status means.

use http::Method;
use serde_json::{Value, json};

use super::Jira;
use crate::deliver::SendError;

impl Jira {
    /// Opens or closes the issue.
    pub(super) async fn go(&self, id: &str, open: bool) -> Result<(), SendError> {
        let categories: &[&str] = if open {
            &["new", "indeterminate"]
        } else {
            &["done"]
        };
        let path = format!("/issue/{id}/transitions");
        let expanded = [("expand", "transitions.fields")];
        let offered = self.api.get(&path, &expanded).await?;
        let offered = offered["transitions"].as_array();
        let offered = offered.ok_or_else(|| self.api.unreadable())?;
        let Some(chosen) = self.chosen(offered, categories) else {
            let what = if open { "reopen" } else { "close" };
            let wrong = format!("Jira's workflow does not let this user {what} the issue");
            return Err(SendError::fail(wrong));
        };
        let mut body = json!({ "transition": { "id": chosen["id"] } });
        if !open && let Some(resolution) = self.resolution(chosen) {
            body["fields"] = json!({ "resolution": { "name": resolution } });
        }
        self.api.send(Method::POST, &path, &body).await.map(drop)
    }

    /// The transition to a status of one of these categories, the first that can be had.
    fn chosen<'a>(&self, offered: &'a [Value], categories: &[&str]) -> Option<&'a Value> {
        let rank = |transition: &Value| {
            let to = &transition["to"];
            let category = &to["statusCategory"]["key"];
            let wanted = categories.iter().position(|wanted| category == *wanted)?;
            // What closes as not to be done would keep the issue from being opened again.
            (!self.is_wont_fix(to)).then(|| (asks_for_more(transition), wanted))
        };
        let ranked = offered
            .iter()
            .filter_map(|transition| Some((rank(transition)?, transition)));
        let best = ranked.min_by_key(|(rank, _)| *rank);
        best.map(|(_, transition)| transition)
    }

    /// The resolution to close with, where the transition takes one.
    fn resolution<'a>(&'a self, transition: &'a Value) -> Option<&'a str> {
        let allowed = transition["fields"]["resolution"]["allowedValues"].as_array()?;
        if let Some(own) = &self.config.resolution {
            return Some(own);
        }
        let mut meant = allowed.iter().filter(|value| !self.is_wont_fix(value));
        meant.find_map(|value| value["name"].as_str())
    }
}

/// Whether it takes fields that we cannot fill in.
fn asks_for_more(transition: &Value) -> bool {
    let Some(fields) = transition["fields"].as_object() else {
        return false;
    };
    let asks = |(name, field): (&String, &Value)| {
        name != "resolution" && field["required"] == true && field["hasDefaultValue"] != true
    };
    fields.iter().any(asks)
}
