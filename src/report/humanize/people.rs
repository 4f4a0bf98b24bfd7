//! Users, login sessions and terminals.

use crate::event::Fields;
use crate::report::phrase::{Phrase, list};

/// Who ran it: the effective user, the login session behind it, the terminal.
pub(in crate::report) fn user(fields: &Fields) -> Phrase {
    list([name(fields), session(fields), terminal(fields)], ", ")
}

/// The user by name and number.
pub(in crate::report) fn name(fields: &Fields) -> Phrase {
    let number = fields.get("user.uid").and_then(crate::event::Value::as_i64);
    match (fields.text("user.name"), number) {
        (Some(name), Some(uid)) if name == "root" && uid == 0 => Phrase::of("root (uid 0)"),
        (Some(name), None) if name == "root" => Phrase::of("root"),
        (Some(name), Some(uid)) => Phrase::of_value(name).words(format!(" (uid {uid})")),
        (Some(name), None) => Phrase::of_value(name),
        (None, Some(0)) => Phrase::of("root (uid 0)"),
        (None, Some(uid)) => Phrase::of(format!("uid {uid}")),
        (None, None) => Phrase::new(),
    }
}

/// The uid that logged in, which stays the same through `sudo` and `su`; `None` without a session.
pub(in crate::report) fn login(fields: &Fields) -> Option<i64> {
    // -1 as unsigned in older versions.
    fields
        .get("user.loginuid")?
        .as_i64()
        .filter(|uid| !matches!(uid, -1 | 4_294_967_295))
}

fn session(fields: &Fields) -> Phrase {
    match (login(fields), fields.get("user.loginuid")) {
        (Some(uid), _) => Phrase::of(format!("login session of uid {uid}")),
        (None, Some(_)) => Phrase::of("no login session"),
        (None, None) => Phrase::new(),
    }
}

/// Whether a pseudo-terminal was attached: device numbers of the majors 136 to 143.
pub(in crate::report) fn pseudo_terminal(fields: &Fields) -> Option<i64> {
    let device = fields.get("proc.tty")?.as_i64()?;
    let major = device >> 8;
    (136..=143)
        .contains(&major)
        .then(|| ((major - 136) << 8) | (device & 0xff))
}

fn terminal(fields: &Fields) -> Phrase {
    match (
        pseudo_terminal(fields),
        fields.get("proc.tty").and_then(crate::event::Value::as_i64),
    ) {
        (Some(number), _) => Phrase::of(format!("terminal pts/{number}")),
        (None, Some(0)) => Phrase::of("no terminal"),
        (None, Some(device)) => Phrase::of(format!("terminal device {device}")),
        (None, None) => Phrase::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Value;

    fn said(fields: &[(&str, Value)]) -> String {
        user(&fields.iter().cloned().collect()).prose()
    }

    #[test]
    fn users_sessions_and_terminals_are_in_words() {
        assert_eq!(
            said(&[
                ("user.name", "root".into()),
                ("user.uid", 0.into()),
                ("user.loginuid", (-1).into()),
                ("proc.tty", 0.into())
            ]),
            "root (uid 0), no login session, no terminal"
        );
        assert_eq!(
            said(&[
                ("user.name", "al`ice".into()),
                ("user.uid", 1001.into()),
                ("user.loginuid", 1000.into()),
                ("proc.tty", 34820.into())
            ]),
            "``al`ice`` (uid 1001), login session of uid 1000, terminal pts/4"
        );
        assert_eq!(
            said(&[
                ("user.name", "<NA>".into()),
                ("user.loginuid", 4_294_967_295.into())
            ]),
            "no login session"
        );
    }
}
