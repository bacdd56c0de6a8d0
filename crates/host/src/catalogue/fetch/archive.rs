//! One file out of a `.zip` or `.tar.gz`, in bounded memory.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use super::LARGEST_FILE;

/// What a `.tar.gz` may unpack to while the file is looked for in it.
const LARGEST_ARCHIVE: u64 = 4 * LARGEST_FILE;

/// A file that could not be taken out of its archive.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    /// No archive of a kind there is.
    #[error("{archive} is neither a zip nor a tar.gz archive")]
    Kind { archive: String },
    /// The archive is whole, as its digest says, but has no such file.
    #[error("{archive} has no file {member:?}")]
    Absent { archive: String, member: String },
    /// The file is too large.
    #[error("{member} in {archive} is larger than 2 GiB")]
    TooLarge { archive: String, member: String },
    /// It can't be unpacked.
    #[error("cannot take {member} out of {archive}: {reason}")]
    Unpack { archive: String, member: String, reason: String },
    /// The system refused.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

pub(super) fn take_out(path: &Path, member: &str) -> Result<Vec<u8>, MemberError> {
    let archive = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |source| MemberError::Read { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(read)?;
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic).map_err(read)?;
    file.rewind().map_err(read)?;
    let bytes = match magic.as_slice() {
        b"PK" => of_zip(file, member),
        [0x1f, 0x8b] => of_tar_gz(file, member),
        _ => return Err(MemberError::Kind { archive }),
    };
    let member = member.to_owned();
    match bytes {
        Ok(Some(bytes)) if bytes.len() as u64 > LARGEST_FILE => {
            Err(MemberError::TooLarge { archive, member })
        }
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(MemberError::Absent { archive, member }),
        Err(error) => Err(MemberError::Unpack { archive, member, reason: error.to_string() }),
    }
}

fn of_zip(file: File, member: &str) -> std::io::Result<Option<Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(file).map_err(std::io::Error::other)?;
    match archive.by_name(member) {
        Ok(entry) => bounded(entry).map(Some),
        Err(zip::result::ZipError::FileNotFound) => Ok(None),
        Err(error) => Err(std::io::Error::other(error)),
    }
}

fn of_tar_gz(file: File, member: &str) -> std::io::Result<Option<Vec<u8>>> {
    let unpacked = flate2::read::GzDecoder::new(std::io::BufReader::new(file));
    let mut archive = tar::Archive::new(unpacked.take(LARGEST_ARCHIVE));
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_file() && *entry.path()? == *Path::new(member) {
            return bounded(entry).map(Some);
        }
    }
    Ok(None)
}

/// One byte more than may be, so that too much is seen.
fn bounded(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
        let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut tar = tar::Builder::new(gzip);
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, *bytes).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn takes_the_named_file_out_of_both_kinds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let files: [(&str, &[u8]); 2] =
            [("net-1.0/readme", b"words"), ("net-1.0/a/net.onnx", b"abc")];
        for bytes in [tar_gz(&files), zip(&files)] {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(take_out(&path, "net-1.0/a/net.onnx").unwrap(), b"abc");
            let absent = take_out(&path, "net.onnx").unwrap_err();
            assert!(matches!(absent, MemberError::Absent { .. }), "{absent}");
            // Cut anywhere, it is an error or the right file, and never a panic.
            for length in 0..bytes.len() {
                std::fs::write(&path, &bytes[..length]).unwrap();
                if let Ok(found) = take_out(&path, "net-1.0/a/net.onnx") {
                    assert_eq!(found, b"abc");
                }
            }
        }
        std::fs::write(&path, "neither").unwrap();
        assert!(matches!(take_out(&path, "net.onnx"), Err(MemberError::Kind { .. })));
    }
}
