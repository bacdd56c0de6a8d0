use std::path::Path;

use super::{About, AddError, Content, Cost, EncoderSpec, Entry, ModelFile, ModelSpec, free};
use crate::atomic::{WriteError, copy_whole, write_whole};
use crate::digest::Digest;
use crate::encoder::{Encoder, EncoderError, EncoderFiles, StatedEncoder};

/// Copies a sentence encoder's files into the catalogue at `folder` with a
/// `model.toml`, once it was seen that they make one.
pub fn add_encoder(
    folder: &Path,
    path: &Path,
    about: About,
    stated: StatedEncoder,
) -> Result<Entry, AddError> {
    free(folder, &about.name)?;
    let files = EncoderFiles::of(path).map_err(Box::new)?;
    let encoder = Encoder::of_path(path, stated).map_err(Box::new)?;
    let digest = |path: &Path| -> Result<String, AddError> {
        let fail = |source| AddError::Read { path: path.to_path_buf(), source };
        let file = std::fs::File::open(path).map_err(fail)?;
        Ok(Digest::of_reader(file).map_err(fail)?.to_string())
    };
    let plain = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = files
        .network
        .metadata()
        .map_err(|source| Box::new(EncoderError::Read { path: files.network.clone(), source }))?;
    let config_sha256 = files.config.as_deref().map(digest).transpose()?;
    let spec = ModelSpec {
        name: about.name,
        title: about.title,
        origin: about.origin,
        licence: about.licence,
        file: plain(&files.network),
        sha256: encoder.origin.sha256.to_string(),
        cost: Some(Cost {
            bytes: bytes.len(),
            multiply_adds: None,
            parameters: encoder.graph().summary().parameters,
        }),
        content: Content::Encoder {
            encoder: EncoderSpec {
                tokenizer: plain(&files.tokenizer),
                tokenizer_sha256: digest(&files.tokenizer)?,
                config: files.config.as_deref().map(plain),
                config_sha256,
                max_tokens: encoder.spec.max_tokens,
                pooling: stated.pooling.or(files.stated.pooling).unwrap_or_default(),
            },
        },
        fetch: None,
    };
    let text = toml::to_string(&spec).expect("a model.toml has only strings, numbers and tables");
    let target = folder.join(spec.name.as_str());
    std::fs::create_dir_all(&target)
        .map_err(|source| WriteError { path: target.clone(), source })?;
    for path in [Some(&files.network), Some(&files.tokenizer), files.config.as_ref()] {
        let Some(path) = path else { continue };
        copy_whole(path, &target.join(plain(path)))?;
    }
    // The description last: a model without one is not in the catalogue.
    write_whole(&target.join("model.toml"), text.as_bytes())?;
    let file = ModelFile::At(target.join(&spec.file));
    Ok(Entry { spec, file })
}
