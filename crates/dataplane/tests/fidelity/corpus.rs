//! Everything that was sent and told, written to a folder for those who read
//! it by the vendors' own descriptions (`tests/clients/python`).

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use crate::answers::Told;
use crate::asked::Sent;

/// The environment variable that names the folder.
const FOLDER: &str = "BOURSE_FIDELITY_CORPUS";

/// Writes both, one JSON object a line, if somebody asks for it.
pub fn write(sent: &[Sent], told: &[Told]) {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    let mut requests = std::fs::File::create(folder.join("requests.jsonl")).unwrap();
    for one in sent {
        let line = json!({
            "client": one.client, "column": one.column, "format": one.format,
            "feature": one.feature, "path": one.path, "body": one.body,
        });
        writeln!(requests, "{line}").unwrap();
    }
    let mut answers = std::fs::File::create(folder.join("answers.jsonl")).unwrap();
    for one in told {
        let line = json!({
            "client": one.client, "format": one.format, "case": one.case,
            "kind": one.kind, "body": one.body,
        });
        writeln!(answers, "{line}").unwrap();
    }
}
