use super::*;

const DIMENSION: usize = 5;

fn photo(n: u8) -> Digest {
    Digest::of(&[n])
}

fn row(n: u8) -> Vec<f32> {
    (0..DIMENSION).map(|i| f32::from(n) + i as f32 / 8.0).collect()
}

fn config(folder: &Path) -> CacheConfig {
    CacheConfig { folder: folder.to_path_buf(), limit_bytes: 1 << 20 }
}

fn open(config: &CacheConfig) -> FeatureCache {
    FeatureCache::open(config, Digest::of(b"space"), DIMENSION, "for tests").unwrap()
}

fn segments(cache: &FeatureCache) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&cache.folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == segment::EXTENSION))
        .collect();
    paths.sort();
    paths
}

#[test]
fn finds_again_what_was_put() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut writer = open(&config);
    for n in [3, 1, 2, 1] {
        writer.put(photo(n), row(n)).unwrap();
    }
    assert!(writer.get(&photo(1)).unwrap().is_none(), "pending rows are not read back");
    writer.flush().unwrap();
    let mut reader = open(&config);
    for n in 1..=3 {
        assert_eq!(reader.get(&photo(n)).unwrap(), Some(row(n).as_slice()));
    }
    assert_eq!(reader.get(&photo(4)).unwrap(), None);
}

#[test]
fn two_writers_share_a_space() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let (mut one, mut two) = (open(&config), open(&config));
    one.put(photo(1), row(1)).unwrap();
    two.put(photo(2), row(2)).unwrap();
    two.put(photo(1), row(1)).unwrap();
    one.flush().unwrap();
    two.flush().unwrap();
    let mut reader = open(&config);
    assert_eq!(reader.segments.len(), 2);
    assert_eq!(reader.get(&photo(1)).unwrap(), Some(row(1).as_slice()));
    assert_eq!(reader.get(&photo(2)).unwrap(), Some(row(2).as_slice()));
}

#[test]
fn every_torn_segment_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut writer = open(&config);
    writer.put(photo(1), row(1)).unwrap();
    writer.put(photo(2), row(2)).unwrap();
    writer.flush().unwrap();
    let path = segments(&writer).remove(0);
    let whole = std::fs::read(&path).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        let mut reader = open(&config);
        assert_eq!(reader.torn(), std::slice::from_ref(&path), "cut at {length}");
        assert!(reader.get(&photo(1)).unwrap().is_none());
        assert!(!path.exists());
    }
    for byte in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[byte] ^= 0x10;
        std::fs::write(&path, &flipped).unwrap();
        let mut reader = open(&config);
        for n in 1..=2 {
            let got = reader.get(&photo(n)).unwrap();
            assert!(got.is_none() || got == Some(row(n).as_slice()), "flipped byte {byte}");
        }
        // The padding between index and rows is covered too: every flip is found.
        assert_eq!(reader.torn(), std::slice::from_ref(&path), "flipped byte {byte}");
    }
}

#[test]
fn the_space_used_longest_ago_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let roomy = config(folder.path());
    let mut spaces = Vec::new();
    for name in ["old", "new"] {
        let mut cache =
            FeatureCache::open(&roomy, Digest::of(name.as_bytes()), DIMENSION, name).unwrap();
        cache.put(photo(1), row(1)).unwrap();
        cache.flush().unwrap();
        spaces.push(cache.folder);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let bytes = usage(&roomy).unwrap().bytes;
    let tight = CacheConfig { limit_bytes: bytes - 1, ..roomy };
    drop(FeatureCache::open(&tight, Digest::of(b"new"), DIMENSION, "new").unwrap());
    assert!(!spaces[0].exists());
    assert!(spaces[1].exists());
}

#[test]
fn clearing_says_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder.path().join("features"));
    assert_eq!(clear(&config).unwrap(), Usage::default());
    let mut cache = open(&config);
    cache.put(photo(1), row(1)).unwrap();
    cache.flush().unwrap();
    let cleared = clear(&config).unwrap();
    assert_eq!((cleared.spaces, cleared.segments), (1, 1));
    assert_eq!(usage(&config).unwrap(), Usage::default());
}

#[test]
fn a_segment_that_a_killed_process_was_writing_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let mut cache = open(&config);
    cache.put(photo(1), row(1)).unwrap();
    cache.flush().unwrap();
    let half = cache.folder.join(".aZ09bc.part");
    std::fs::write(&half, b"GRFTFEAT").unwrap();
    let mut again = open(&config);
    assert!(!half.exists());
    assert_eq!(again.get(&photo(1)).unwrap(), Some(row(1).as_slice()));
}
