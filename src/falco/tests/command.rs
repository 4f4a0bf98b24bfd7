use super::*;

fn command(line: &str) -> Vec<String> {
    check_command(line)
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn flags_exist_and_have_what_they_need() {
    for good in [
        "falco -V /etc/falco/falco_rules.yaml -V my-rules.yaml",
        "falco --dry-run -r \"$BASE\" -r /etc/falco/rules.d/herald-exceptions.yaml",
        "falco -o json_output=true -o file_output.enabled=true -o file_output.filename=/var/log/falco/events.json",
        "falco -o 'rules_files[0]=x' --dry-run   # a comment",
        "falco --list=syscall -N --format json",
        "falco -c /etc/falco/falco.yaml --version",
        "falco -o priority=critical",
    ] {
        assert_eq!(command(good), [""; 0], "{good}");
    }
    for (bad, why) in [
        ("falco -c rules.yaml", "rules are given with `-r`"),
        ("falco -c /etc/falco/falco.conf", "no such file by default"),
        ("falco -r falco.rules.yaml", "no such file by default"),
        ("falco --event_logger enabled=true", "json_output"),
        ("falco --alert-only", "priority=critical"),
        ("falco --log-format json", "json_output"),
        ("falco --log_format json", "json_output"),
        ("falco --config x.yaml", "`-c FILE`"),
        ("falco -f x.yaml", "`-r FILE`"),
        ("falco --modern-bpf", "no such flag"),
        ("falco -A", "base_syscalls"),
        ("falco -V", "needs a value"),
        ("falco -V a.yaml,b.yaml", "once for each file"),
        ("falco --dry-run=yes", "takes no value"),
        ("falco -o unknown.key=1", "no key `unknown.key`"),
        ("falco -o json_output=maybe", "does not fit"),
        ("falco -o json_output", "key=value"),
        ("falco -r rules.txt", ".yaml"),
        ("falco rules.yaml", "no such argument"),
    ] {
        assert!(
            command(bad).iter().any(|fault| fault.contains(why)),
            "{bad}: {:?}",
            command(bad)
        );
    }
}

fn config(yaml: &str) -> Vec<String> {
    check_config(yaml).iter().map(ToString::to_string).collect()
}

#[test]
fn keys_of_falco_yaml_exist_and_have_their_types() {
    for good in [
        "rules_files:\n  - /etc/falco/falco_rules.yaml\nwatch_config_files: true\n",
        "engine:\n  kind: modern_ebpf\n  modern_ebpf:\n    buf_size_preset: 5\n",
        "syscall_event_drops:\n  threshold: 0.1\n  actions: [log, alert]\n",
        "rules:\n  - disable: { rule: \"*\" }\n  - enable: { tag: maturity_stable }\n",
        "append_output:\n  - match: { source: syscall }\n    extra_output: on CPU %evt.cpu\n",
        "plugins:\n  - name: k8saudit\n    library_path: libk8saudit.so\n    init_config: { maxEventSize: 1 }\nload_plugins: [k8saudit, json]\n",
        "http_output: { enabled: true, url: \"http://herald:2804/\" }\njson_output: true\n",
        "priority: warning\n",
    ] {
        assert_eq!(config(good), [""; 0], "{good}");
    }
    for (bad, why) in [
        (
            "event_logger: { enabled: true, log_format: json }\n",
            "json_output: true",
        ),
        ("outputs: { rate: 1 }\n", "no rate limit exists"),
        ("rules_file: [x]\n", "`rules_files`"),
        ("http_output: { headers: {} }\n", "no key"),
        ("json_output: yes please\n", "of type boolean"),
        ("priority: HIGH\n", "no priority"),
        ("- a\n", "must be a mapping"),
        ("engine: { modern_bpf: {} }\n", "no key"),
        ("container_engines: {}\n", "container plugin"),
    ] {
        assert!(
            config(bad).iter().any(|fault| fault.contains(why)),
            "{bad}: {:?}",
            config(bad)
        );
    }
}
