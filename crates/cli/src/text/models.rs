use super::{bytes, table};
use crate::cmd::models::{FetchReport, ListReport, Model};

pub fn list(r: &ListReport) -> String {
    let rows: Vec<Vec<String>> = r
        .models
        .iter()
        .map(|m| {
            vec![
                m.name.clone(),
                m.file_bytes.map_or(String::new(), bytes),
                where_(m),
                m.licence.clone(),
            ]
        })
        .collect();
    let mut text = table(&["model", "size", "where", "licence"], &rows);
    for m in r.models.iter().filter(|m| !m.title.is_empty()) {
        text += &format!("\n  {}: {}", m.name, m.title);
    }
    text.push('\n');
    text
}

pub fn fetched(r: &FetchReport) -> String {
    let what = if r.downloaded { "fetched" } else { "was here already" };
    format!("{} {what}: {}, licence {}\n", r.model.name, where_(&r.model), r.model.licence)
}

pub fn added(m: &Model) -> String {
    format!("added {}: {}\n", m.name, where_(m))
}

fn where_(m: &Model) -> String {
    match (&m.path, m.here, m.fetch) {
        (Some(path), true, _) => path.display().to_string(),
        (None, true, _) => "in this program".to_owned(),
        (_, false, Some(_)) => format!("graft models fetch {}", m.name),
        (_, false, None) => "not here".to_owned(),
    }
}
