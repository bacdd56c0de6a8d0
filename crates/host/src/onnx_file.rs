//! An ONNX file, and the files with its weights that may lie beside it.

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path};

use graft_onnx::{ExternalData, Graph, GraphError};

/// The graph in the bytes of the file at `path`, and bytes that hold all of it:
/// those, or with the weights from beside the file taken in.
pub(crate) fn parse<'a>(
    path: &Path,
    bytes: &'a [u8],
) -> Result<(Graph, Cow<'a, [u8]>), GraphError> {
    match Graph::parse(bytes) {
        Err(GraphError::ExternalData { .. }) => {
            let graph = Graph::parse_with_data(bytes, &mut |data| read_beside(path, data))?;
            let whole = graph.to_bytes();
            Ok((graph, Cow::Owned(whole)))
        }
        parsed => Ok((parsed?, Cow::Borrowed(bytes))),
    }
}

/// Nothing but what lies in the model's own folder, or in one inside it: a model
/// from elsewhere must not take in whatever file it names.
fn read_beside(model: &Path, data: ExternalData<'_>) -> Result<Vec<u8>, String> {
    let location = Path::new(data.location);
    let inside = location.components().all(|part| matches!(part, Component::Normal(_)));
    if data.location.is_empty() || !inside {
        return Err("it must be a file in the folder of the model".to_owned());
    }
    let folder = model.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let canonical = |path: &Path| std::fs::canonicalize(path).map_err(|e| e.to_string());
    let path = canonical(&folder.join(location))?;
    if !path.starts_with(canonical(folder)?) {
        return Err("it is a link that leads out of the folder of the model".to_owned());
    }
    let file = File::open(&path).map_err(|e| e.to_string())?;
    let metadata = file.metadata().map_err(|e| e.to_string())?;
    if !metadata.is_file() {
        return Err("it is no file".to_owned());
    }
    // Before anything is allocated.
    let end = data.offset.checked_add(data.length);
    if end.is_none_or(|end| end > metadata.len()) {
        return Err(format!(
            "it has {} bytes, and {} from byte {} on are wanted: it is cut off, or another model's",
            metadata.len(),
            data.length,
            data.offset
        ));
    }
    let length = usize::try_from(data.length).map_err(|e| e.to_string())?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, data.offset).map_err(|e| e.to_string())?;
    Ok(bytes)
}
