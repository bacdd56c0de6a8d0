//! Photos to measure with: JPEGs of quality 90.
//!
//! Every pixel of a synthetic picture carries noise, and a decoder's time goes
//! by the bits; so it is made at half the size and enlarged, which leaves about
//! the bits a pixel that photos have.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ExtendedColorType, RgbImage};

pub const SIZES: [(u32, u32); 2] = [(224, 224), (1024, 768)];

pub fn folder_of(folder: &Path, (width, height): (u32, u32)) -> PathBuf {
    folder.join(format!("{width}x{height}"))
}

/// Writes `count` photos of each size, each size into a folder of its own.
pub fn write_all(folder: &Path, count: usize) -> anyhow::Result<()> {
    for size in SIZES {
        let folder = folder_of(folder, size);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        let next = AtomicUsize::new(0);
        let write = || -> anyhow::Result<()> {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok(());
                }
                let path = folder.join(format!("{number:05}.jpg"));
                std::fs::write(&path, jpeg(number as u64, size)?)
                    .with_context(|| format!("cannot write {}", path.display()))?;
            }
        };
        let threads = std::thread::available_parallelism()?.get();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(write)).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
    }
    Ok(())
}

fn jpeg(seed: u64, (width, height): (u32, u32)) -> anyhow::Result<Vec<u8>> {
    let (w, h) = (width / 2, height / 2);
    let small = graft_input::synthetic(seed, w, h);
    let small = RgbImage::from_raw(w, h, small.rgb().to_vec()).context("three bytes a pixel")?;
    let picture = resize(&small, width, height, FilterType::Triangle);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 90).encode(
        picture.as_raw(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}

/// The photos of a folder, sorted.
pub fn list(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot list {}", folder.display()))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    anyhow::ensure!(!paths.is_empty(), "{} is empty", folder.display());
    paths.sort();
    Ok(paths)
}
