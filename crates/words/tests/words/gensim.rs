//! `fixtures/make.py` made the expectations, from files that `make setup` fetches.

use std::path::Path;

use graft_words::{Kind, Neighbour, NotUtf8, ReadError, Reading, Term, WordVectors, read_file};
use serde_json::Value;

const EXPECTED: &str = include_str!("../fixtures/gensim.json");

/// gensim computes in `f32`, so its similarities are right to some 1e-6; words that
/// are nearer to each other than that may change places.
const CLOSE: f64 = 2e-6;

fn fetched(name: &str) -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.deps").join(name);
    assert!(path.is_file(), "{} is missing: run `make setup`", path.display());
    path
}

fn load(name: &str) -> (Kind, WordVectors) {
    let mut vectors = WordVectors::default();
    let summary =
        read_file(&fetched(name), &Reading::default(), |word, row| vectors.keep(word, row));
    (summary.unwrap().kind, vectors)
}

fn assert_same(vectors: &WordVectors, found: &[Neighbour], expected: &Value, what: &str) {
    let expected: Vec<(&str, f64)> = expected
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_f64().unwrap()))
        .collect();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, (word, similarity))) in found.iter().zip(&expected).enumerate() {
        assert!(
            (found.similarity - similarity).abs() < CLOSE,
            "{what}: {found:?}, {word} {similarity}"
        );
        let tied = expected
            .iter()
            .enumerate()
            .any(|(other, (_, s))| other != place && (s - similarity).abs() < CLOSE);
        assert!(tied || vectors.word(found.index) == *word, "{what}: {word} at {place}");
    }
}

fn check(name: &str, kind: Kind) {
    let fixture: Value = serde_json::from_str(EXPECTED).unwrap();
    let files = fixture["files"].as_array().unwrap();
    let expected = files.iter().find(|file| file["file"] == name).unwrap();
    let (told, vectors) = load(name);
    assert_eq!(told, kind);
    assert_eq!(vectors.len() as u64, expected["words"]);
    assert_eq!(vectors.dimensions() as u64, expected["dimensions"]);
    for (at, word) in expected["first"].as_array().unwrap().iter().enumerate() {
        assert_eq!(vectors.word(at), word);
    }
    for (back, word) in expected["last"].as_array().unwrap().iter().rev().enumerate() {
        assert_eq!(vectors.word(vectors.len() - 1 - back), word);
    }
    for (at, row) in expected["rows"].as_object().unwrap() {
        let row: Vec<f32> =
            row.as_array().unwrap().iter().map(|n| n.as_f64().unwrap() as f32).collect();
        assert_eq!(vectors.vector(at.parse().unwrap()), row, "row {at}");
    }
    let nearest = expected["nearest"].as_array().unwrap();
    assert!(!nearest.is_empty());
    for case in nearest {
        let word = case[0].as_str().unwrap();
        let found = vectors.nearest(&[Term::plus(word)], 10).unwrap();
        assert_same(&vectors, &found, &case[1], word);
    }
    for case in expected["analogies"].as_array().unwrap() {
        let [a, b, c] = [0, 1, 2].map(|at| case[at].as_str().unwrap());
        let found = vectors.analogy(a, b, c, 5).unwrap();
        assert_same(&vectors, &found, &case[3], &format!("{a} {b} {c}"));
    }
    let mut sum = vec![0.0; vectors.dimensions()];
    for word in expected["vector"]["sum_of"].as_array().unwrap() {
        let row = vectors.vector(vectors.index(word.as_str().unwrap()).unwrap());
        sum.iter_mut().zip(row).for_each(|(sum, number)| *sum += number);
    }
    let found = vectors.nearest(&[Term::vector(&sum)], 10).unwrap();
    assert_same(&vectors, &found, &expected["vector"]["nearest"], "a vector");
}

#[test]
fn a_binary_of_word2vec() {
    check("gensim/euclidean_vectors.bin", Kind::Word2vecBinary);
}

#[test]
fn a_text_of_word2vec() {
    check("gensim/word2vec_pre_kv_c", Kind::Word2vecText);
}

#[test]
fn a_text_of_glove() {
    check("gensim/test_glove.txt", Kind::Glove);
}

#[test]
fn glove_of_400_000_words_and_its_queen() {
    check("glove-6b-50d/glove.6B.50d.txt", Kind::Glove);
    let (_, vectors) = load("glove-6b-50d/glove.6B.50d.txt");
    let found = vectors.analogy("man", "king", "woman", 1).unwrap();
    assert_eq!(vectors.word(found[0].index), "queen");
    // The .861 that is often quoted is of the vectors as they are, without bringing each
    // to length 1 first, which is what gensim does with words.
    let row = |word| vectors.vector(vectors.index(word).unwrap());
    let parts = row("king").iter().zip(row("man")).zip(row("woman"));
    let sum: Vec<f32> = parts.map(|((king, man), woman)| king - man + woman).collect();
    let found = vectors.nearest(&[Term::vector(&sum)], 2).unwrap();
    assert_eq!(vectors.word(found[1].index), "queen");
    assert!((found[1].similarity - 0.861).abs() < 5e-4);
}

#[test]
fn a_file_that_is_not_utf8_is_refused_or_skipped_over() {
    let path = fetched("gensim/pang_lee_polarity_fasttext.vec");
    let mut vectors = WordVectors::default();
    let error = read_file(&path, &Reading::default(), |word, row| vectors.keep(word, row));
    assert!(matches!(error, Err(ReadError::NotUtf8 { .. })), "{error:?}");
    let mut vectors = WordVectors::default();
    let reading = Reading { not_utf8: NotUtf8::Skip, ..Reading::default() };
    let summary = read_file(&path, &reading, |word, row| vectors.keep(word, row)).unwrap();
    assert!(summary.not_utf8 > 0);
    assert_eq!(vectors.len() as u64 + summary.not_utf8 + vectors.duplicates(), summary.words);
}
