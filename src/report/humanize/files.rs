//! What well-known paths are.

/// What the file is to an attacker or an administrator, when the path is a well-known one.
pub(in crate::report) fn what(path: &str) -> Option<&'static str> {
    let path = path
        .strip_prefix("/host")
        .filter(|rest| rest.starts_with('/'))
        .unwrap_or(path);
    let base = path.rsplit('/').next().unwrap_or(path);
    let known = match path {
        "/etc/shadow" | "/etc/gshadow" | "/etc/shadow-" => "password hashes",
        "/etc/sudoers" => "who may become root",
        "/etc/passwd" => "the list of users",
        "/etc/ld.so.preload" => "libraries loaded into every program",
        "/proc/kcore" | "/dev/mem" | "/dev/kmem" => "the memory of the host",
        "/proc/sysrq-trigger" => "commands to the kernel",
        "/proc/sys/kernel/core_pattern" => "a program that the kernel runs on the host",
        "/var/run/docker.sock" | "/run/docker.sock" => {
            "the Docker socket: root on the host for whoever may write to it"
        }
        "/run/containerd/containerd.sock" | "/var/run/crio/crio.sock" | "/run/crio/crio.sock" => {
            "the runtime socket: root on the host for whoever may write to it"
        }
        "/var/log/wtmp" | "/var/log/btmp" | "/var/log/lastlog" => "the record of logins",
        _ => "",
    };
    if !known.is_empty() {
        return Some(known);
    }
    let rules: [(bool, &'static str); 12] = [
        (
            base == "release_agent",
            "a program that the kernel runs on the host when a cgroup empties: a way out of a container",
        ),
        (
            path.contains("/kubernetes.io/serviceaccount/"),
            "the service account's credentials for the Kubernetes API",
        ),
        (
            path.starts_with("/proc/") && base == "environ",
            "the environment of a process, often with secrets",
        ),
        (
            path.contains("/.ssh/") || base.starts_with("id_rsa") || base.starts_with("id_ed25519"),
            "SSH keys or settings",
        ),
        (
            path.contains("/.aws/")
                || path.contains("/.config/gcloud/")
                || path.contains("/.azure/"),
            "cloud credentials",
        ),
        (
            path.contains("/.kube/") || path == "/etc/kubernetes/admin.conf",
            "credentials for the Kubernetes API",
        ),
        (
            path.starts_with("/etc/pam.d/") || path.starts_with("/etc/security/"),
            "how users are authenticated",
        ),
        (path.starts_with("/etc/sudoers.d/"), "who may become root"),
        (
            path.starts_with("/etc/cron") || path.starts_with("/var/spool/cron"),
            "commands that run at set times",
        ),
        (
            path.starts_with("/etc/systemd/") || path.ends_with(".service"),
            "a service that starts with the system",
        ),
        (
            matches!(base, ".bashrc" | ".profile" | ".bash_profile" | ".zshrc"),
            "commands that run when a shell starts",
        ),
        (
            base.contains("bash_history") || base.contains("zsh_history"),
            "the history of typed commands",
        ),
    ];
    rules
        .iter()
        .find(|(matches, _)| *matches)
        .map(|(_, what)| *what)
}

/// Whether a path changes from run to run or belongs to no installed program: useless as identity.
pub(in crate::report) fn is_temporary(path: &str) -> bool {
    let places = [
        "/tmp/",
        "/var/tmp/",
        "/dev/shm/",
        "/run/user/",
        "/proc/",
        "memfd:",
        "/dev/fd/",
    ];
    let longest_number = path
        .split(|c: char| !c.is_ascii_digit())
        .map(str::len)
        .max()
        .unwrap_or(0);
    places.iter().any(|place| path.starts_with(place))
        || path.ends_with("(deleted)")
        || longest_number >= 6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_files_are_named() {
        assert_eq!(what("/etc/shadow"), Some("password hashes"));
        assert_eq!(what("/host/etc/shadow"), Some("password hashes"));
        assert!(what("/var/run/secrets/kubernetes.io/serviceaccount/token").is_some());
        assert!(what("/sys/fs/cgroup/rdma/release_agent").is_some());
        assert!(what("/proc/1/environ").is_some());
        assert_eq!(what("/home/me/notes"), None);
    }

    #[test]
    fn temporary_paths_are_no_identity() {
        for path in [
            "/tmp/x",
            "memfd:x",
            "/opt/a-1234567/x",
            "/usr/bin/x (deleted)",
        ] {
            assert!(is_temporary(path), "{path}");
        }
        assert!(!is_temporary("/usr/lib/jvm/java-17/bin/java"));
    }
}
