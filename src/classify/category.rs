//! The kinds of trouble Herald tells apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of trouble an alert is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Executables or system files changed or added after the image was built.
    ContainerDrift,
    /// Interactive or remote shell, command execution, web shell.
    ShellExecution,
    /// Secrets, keys, shadow file, cloud metadata.
    CredentialAccess,
    /// Setuid, namespaces, escape, privileged start.
    PrivilegeEscalation,
    /// Cron, ssh keys, users, kernel modules, shell start files.
    Persistence,
    /// Log and history removal, memfd, anti-debug, hidden files.
    DefenseEvasion,
    /// Unexpected traffic, network tools, reverse channels.
    NetworkC2,
    /// Miners, stratum, pool ports.
    CryptoMining,
    /// Discovery, scanning tools, API probing.
    Reconnaissance,
    /// Copying out, bulk deletion.
    DataExfilImpact,
    /// The Kubernetes API: all audit rules.
    K8sControlPlane,
    /// `CloudTrail`, Okta, GitHub, GCP audit log.
    CloudSaasControlPlane,
    /// Falco's own state.
    FalcoHealth,
    /// Nothing of the above.
    Other,
}

impl Category {
    /// All categories.
    pub const ALL: [Self; 14] = [
        Self::ContainerDrift,
        Self::ShellExecution,
        Self::CredentialAccess,
        Self::PrivilegeEscalation,
        Self::Persistence,
        Self::DefenseEvasion,
        Self::NetworkC2,
        Self::CryptoMining,
        Self::Reconnaissance,
        Self::DataExfilImpact,
        Self::K8sControlPlane,
        Self::CloudSaasControlPlane,
        Self::FalcoHealth,
        Self::Other,
    ];

    /// The identifier used in conditions, the config and the catalogue.
    pub fn id(self) -> &'static str {
        match self {
            Self::ContainerDrift => "container_drift",
            Self::ShellExecution => "shell_execution",
            Self::CredentialAccess => "credential_access",
            Self::PrivilegeEscalation => "privilege_escalation",
            Self::Persistence => "persistence",
            Self::DefenseEvasion => "defense_evasion",
            Self::NetworkC2 => "network_c2",
            Self::CryptoMining => "crypto_mining",
            Self::Reconnaissance => "reconnaissance",
            Self::DataExfilImpact => "data_exfil_impact",
            Self::K8sControlPlane => "k8s_control_plane",
            Self::CloudSaasControlPlane => "cloud_saas_control_plane",
            Self::FalcoHealth => "falco_health",
            Self::Other => "other",
        }
    }

    /// The category with this identifier.
    pub fn from_id(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.id() == id)
    }

    /// The name as people read it.
    pub fn title(self) -> &'static str {
        match self {
            Self::ContainerDrift => "container drift",
            Self::ShellExecution => "shell or command execution",
            Self::CredentialAccess => "credential access",
            Self::PrivilegeEscalation => "privilege escalation",
            Self::Persistence => "persistence",
            Self::DefenseEvasion => "defense evasion",
            Self::NetworkC2 => "network and command-and-control",
            Self::CryptoMining => "crypto mining",
            Self::Reconnaissance => "reconnaissance",
            Self::DataExfilImpact => "data exfiltration or destruction",
            Self::K8sControlPlane => "Kubernetes control plane",
            Self::CloudSaasControlPlane => "cloud control plane",
            Self::FalcoHealth => "sensor health",
            Self::Other => "other",
        }
    }
}
