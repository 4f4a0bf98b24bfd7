//! What goes wrong with the files of a configuration while the service runs.

use std::fs;

use crate::support::{Service, client, until};

const CONFIG: &str = "destinations: { screen: { console: {} } }\nroute: { to: [screen] }\n";

#[tokio::test]
async fn files_that_vanish_or_are_half_written_change_nothing_and_a_rename_does() {
    let folder = tempfile::tempdir().unwrap();
    let templates = folder.path().join("templates");
    fs::create_dir(&templates).unwrap();
    let config = format!("{CONFIG}templates: {}\n", templates.display());
    let service = Service::start(folder.path(), &config);
    let counted = async |outcome: &str| {
        let metrics = client().get(format!("http://{}/metrics", service.admin));
        let metrics = metrics.send().await.unwrap().text().await.unwrap();
        let series = format!("config_reloads_total{{outcome=\"{outcome}\"}} ");
        let of_outcome = metrics.lines().find_map(|line| line.split_once(&series));
        of_outcome.map_or(0, |(_, count)| count.trim().parse::<u64>().unwrap())
    };
    let file = folder.path().join("herald.yaml");
    let whole = fs::read_to_string(&file).unwrap();

    fs::remove_dir(&templates).unwrap();
    service.signal("HUP");
    until("a missing folder is refused", async || {
        counted("refused").await >= 1
    })
    .await;
    fs::create_dir(&templates).unwrap();

    let (half, _) = whole.split_once("route:").unwrap();
    fs::write(&file, format!("{half}route: {{ to: [scr")).unwrap();
    let before = counted("refused").await;
    service.signal("HUP");
    until("half a file is refused", async || {
        counted("refused").await > before
    })
    .await;
    let refused = |line: &String| line.contains("configuration refused, the old one stays");
    assert!(service.log.lock().unwrap().iter().any(refused));

    let before = counted("applied").await;
    let beside = folder.path().join("herald.yaml.new");
    fs::write(&beside, &whole).unwrap();
    fs::rename(&beside, &file).unwrap();
    service.signal("HUP");
    until("a renamed file is applied", async || {
        counted("applied").await > before
    })
    .await;
}
