//! Every format that a report can be written in, by name.

use clap::ValueEnum;
use serde_json::json;

use super::dialect::{Dialect, markdown};
use super::document::Document;
use super::{
    adf, csv, discord, google_chat, html, jira, matrix, mattermost, slack, teams, telegram, text,
    textile,
};
use crate::report::Report;

/// A format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The report as written: `CommonMark` with GFM tables
    #[default]
    Markdown,
    /// Without markup, wrapped
    Text,
    /// As the HTML part of a mail
    Html,
    /// The messages that are posted to Slack
    Slack,
    /// An issue on GitHub
    Github,
    /// An issue on GitLab
    Gitlab,
    /// The posts on Mattermost
    Mattermost,
    /// The messages that are posted to Discord
    Discord,
    /// The messages that are posted to Matrix
    Matrix,
    /// The message that is posted to Google Chat
    GoogleChat,
    /// The messages that are posted to Telegram
    Telegram,
    /// An Adaptive Card for Microsoft Teams
    Teams,
    /// An Atlassian document, for Jira Cloud
    Adf,
    /// Wiki markup, for Jira Data Center
    Jira,
    /// Textile, for Redmine
    Textile,
    /// Title, severity and lead as a row for a spreadsheet
    Csv,
    /// Title, lead, severity and Markdown
    Json,
}

impl Format {
    /// The report in this format, ending in a newline. JSON formats are what would be posted.
    pub fn write(self, report: &Report) -> String {
        let document = Document::parse(&report.markdown);
        let pretty = |value: serde_json::Value| format!("{value:#}\n");
        match self {
            Self::Markdown => format!("{}\n", report.markdown),
            Self::Text => format!("{}\n", text::plain_text(&document)),
            Self::Html => format!("{}\n", html::html_page(&report.title, &document)),
            Self::Slack => {
                let thread = slack::message(report);
                let message = |message: &slack::SlackMessage| json!({ "text": message.text, "blocks": message.blocks });
                let details: Vec<_> = thread.details.iter().map(message).collect();
                pretty(json!({ "head": message(&thread.head), "details": details }))
            }
            Self::Github => markdown(&document, Dialect::GitHub),
            Self::Gitlab => markdown(&document, Dialect::GitLab),
            Self::Mattermost => pretty(mattermost::mattermost(report).into()),
            Self::GoogleChat => pretty(google_chat::google_chat(report, None, true)),
            Self::Discord => pretty(discord::discord(report).into()),
            Self::Matrix => pretty(matrix::matrix(report).into()),
            Self::Telegram => pretty(telegram::telegram(report).into()),
            Self::Teams => pretty(teams::teams(&document)),
            Self::Adf => pretty(adf::adf(&document)),
            Self::Jira => jira::jira(&document),
            Self::Textile => textile::textile(&document),
            Self::Csv => csv::row([
                report.title.as_str(),
                report.severity.name(),
                report.lead.as_str(),
            ]),
            Self::Json => {
                let report = json!({
                    "title": report.title,
                    "lead": report.lead,
                    "severity": report.severity,
                    "markdown": report.markdown,
                });
                format!("{report}\n")
            }
        }
    }
}
