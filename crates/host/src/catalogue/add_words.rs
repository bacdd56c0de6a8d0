use std::ops::ControlFlow;
use std::path::Path;

use super::{About, AddError, Content, Cost, Entry, ModelFile, ModelSpec, VectorsSpec, free};
use crate::atomic::{WriteError, copy_whole, write_whole};
use crate::progress::OnEvent;
use crate::vectors::VectorsFile;

/// Copies a file of word vectors into the catalogue at `folder` with a
/// `model.toml`, once all of it was read.
pub fn add_words(
    folder: &Path,
    vectors: &VectorsFile,
    about: About,
    on: OnEvent<'_>,
) -> Result<Entry, AddError> {
    free(folder, &about.name)?;
    let summary = vectors.each(on, |_, _| ControlFlow::Continue(())).map_err(Box::new)?;
    let path = &vectors.path;
    let bytes =
        path.metadata().map_err(|source| AddError::Read { path: path.clone(), source })?.len();
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let spec = ModelSpec {
        name: about.name,
        title: about.title,
        origin: about.origin,
        licence: about.licence,
        file,
        sha256: vectors.origin.sha256.to_string(),
        cost: Some(Cost {
            bytes,
            multiply_adds: None,
            parameters: summary.words * summary.dimensions as u64,
        }),
        content: Content::Words {
            words: VectorsSpec {
                format: summary.kind.into(),
                count: summary.words,
                dimensions: summary.dimensions,
            },
        },
        fetch: None,
    };
    let text = toml::to_string(&spec).expect("a model.toml has only strings, numbers and tables");
    let target = folder.join(spec.name.as_str());
    std::fs::create_dir_all(&target)
        .map_err(|source| WriteError { path: target.clone(), source })?;
    let copy = target.join(&spec.file);
    copy_whole(path, &copy)?;
    write_whole(&target.join("model.toml"), text.as_bytes())?;
    Ok(Entry { spec, file: ModelFile::At(copy) })
}
