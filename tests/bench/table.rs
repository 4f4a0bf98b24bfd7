//! The figures beside their goals.

use std::fmt::Write;

/// One line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) goal: String,
    pub(crate) figure: String,
    /// Whether the goal is reached; `None` where there is none.
    pub(crate) holds: Option<bool>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            goal: String::new(),
            figure: figure.into(),
            holds: None,
        }
    }

    pub(crate) fn goal(mut self, goal: impl Into<String>, holds: bool) -> Self {
        self.goal = goal.into();
        self.holds = Some(holds);
        self
    }
}

/// As Markdown.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let mut text = "| what | goal | figure | |\n|---|---|---|---|\n".to_owned();
    for row in rows {
        let holds = match row.holds {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "",
        };
        let (what, goal, figure) = (&row.what, &row.goal, &row.figure);
        writeln!(text, "| {what} | {goal} | {figure} | {holds} |").unwrap();
    }
    text
}

/// Median, with the least and the greatest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    most: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (Some(&least), Some(&most)) = (figures.first(), figures.last()) else {
            panic!("no figures");
        };
        let middle = figures.len() / 2;
        let median = if figures.len().is_multiple_of(2) {
            f64::midpoint(figures[middle - 1], figures[middle])
        } else {
            figures[middle]
        };
        Self {
            median,
            least,
            most,
        }
    }

    /// With `digits` behind the point.
    pub(crate) fn show(&self, digits: usize) -> String {
        let Self {
            median,
            least,
            most,
        } = self;
        format!("{median:.digits$} [{least:.digits$} {most:.digits$}]")
    }
}
