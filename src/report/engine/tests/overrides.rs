//! Templates and runbooks of a site's own.

use super::*;

pub(super) fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn a_runbook_of_the_site_replaces_parts_of_the_report() {
    let dir = site(&[(
        "runbooks/terminal-shell-in-container.md",
        "{% extends \"report/shell_execution.md\" %}\n{% block decide %}Call the *web* team. {{ fields[\"proc.name\"] }}{% endblock %}\n",
    )]);
    let engine = Engine::try_new(Some(dir.path())).unwrap();
    let alert = sample("shell");
    let incident = incident(&alert, 1);
    let report = engine.render(&subject(&incident, &alert)).unwrap();
    check("runbook", &report);
    assert!(
        report
            .markdown
            .contains("**Decide** Call the *web* team. `bash`")
    );
}

#[test]
fn a_rule_of_the_site_gets_the_runbook_of_the_site() {
    let text = "---\nrule: Our own rule\n---\n{% extends layout %}\n{% block decide %}Call the *web* team.{% endblock %}\n{% block questions %}\n- Is it Tuesday?\n{% endblock %}\n";
    let dir = site(&[("runbooks/our-own-rule.md", text)]);
    let engine = Engine::try_new(Some(dir.path())).unwrap();
    engine.check().unwrap();
    let mut alert = sample("shell");
    alert.event.rule = "Our own rule".into();
    alert.entry = None;
    let without = report_of(&alert, 1).markdown;
    assert!(
        without.contains("Put one at `runbooks/our-own-rule.md`"),
        "{without}"
    );
    let incident = incident(&alert, 1);
    let report = engine.render(&subject(&incident, &alert)).unwrap();
    check("runbook", &report);
    assert!(report.markdown.contains("**Decide** Call the *web* team."));
    assert!(report.markdown.contains("- Is it Tuesday?"));
    assert!(!report.markdown.contains("There is no runbook"));
    let page = engine.runbook("Our own rule").unwrap().unwrap();
    assert!(
        page.starts_with("# Our own rule\n") && page.contains("Call the *web* team."),
        "{page}"
    );
}

#[test]
fn a_runbook_of_the_site_is_checked_before_it_is_needed() {
    let body = |text: &str| {
        format!(
            "---\nrule: Our own rule\n---\n{{% extends layout %}}\n{{% block tuning %}}\n{text}\n{{% endblock %}}\n"
        )
    };
    for (text, wanted) in [
        (
            body("```yaml\n- rule: Our own rule\n  enabled: false\n```"),
            "runbooks/x.md: a snippet would not do what it says: rule Our own rule: a lone `enabled` is deprecated",
        ),
        (
            body("```bash\nfalco --alert-only\n```"),
            "use `-o priority=critical`",
        ),
        (
            body("```yaml\nevent_logger: {}\n```"),
            "there is no key `event_logger`",
        ),
        (body("{{ fields.x }}"), "runbooks/x.md:6: "),
        (
            "---\nrule: x\nowner: y\n---\n".to_owned(),
            "runbooks/x.md:3: front matter: ",
        ),
    ] {
        let dir = site(&[("runbooks/x.md", &text)]);
        let result = Engine::try_new(Some(dir.path())).and_then(|engine| engine.check());
        let error = result.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[test]
fn a_broken_template_is_refused_with_its_place() {
    for (text, wanted) in [
        ("a\n{% if %}", "report/incident.md:2: syntax error: "),
        (
            "a\n{{ x | safe }}",
            "report/incident.md:2: unknown filter: ",
        ),
    ] {
        let dir = site(&[("report/incident.md", text)]);
        let result = Engine::try_new(Some(dir.path())).and_then(|engine| {
            let alert = sample("test_rule");
            engine.try_render(&subject(&incident(&alert, 1), &alert))
        });
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{error}");
    }
    let missing = Engine::try_new(Some(Path::new("/nonexistent"))).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the templates in /nonexistent"
    );
}

#[test]
fn a_template_that_fails_is_replaced_and_named() {
    for (text, wanted) in [
        (
            "{{ nothing_like_this }}",
            "a value that does not exist is used",
        ),
        (
            "{{ runbook }}",
            "a value that the event does not have is printed",
        ),
        ("{{ cmd }}", "this is a structure"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", ""),
        ("{% include \"report/incident.md\" %}", ""),
    ] {
        let dir = site(&[("report/incident.md", text)]);
        let engine = Engine::try_new(Some(dir.path())).unwrap();
        let alert = sample("test_rule");
        let incident = incident(&alert, 1);
        let error = engine
            .try_render(&subject(&incident, &alert))
            .unwrap_err()
            .to_string();
        assert!(error.contains(wanted), "{error}");
        let report = engine.render(&subject(&incident, &alert)).unwrap();
        assert!(report.markdown.contains("## Evidence"), "{text}");
        assert!(
            report.markdown.contains("The site's own template failed"),
            "{text}"
        );
    }
}
