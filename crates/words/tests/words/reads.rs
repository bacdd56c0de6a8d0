use std::ops::ControlFlow;

use graft_words::{Kind, Reading, WordVectors, read};

use crate::{Rows, binary, gzip, rows_of, skipping};

fn two() -> Rows {
    vec![("the".to_owned(), vec![0.5, -1.25]), ("größe".to_owned(), vec![3.0, 1e-3])]
}

#[test]
fn each_kind_is_told_and_read_plain_and_compressed() {
    let rows: &[(&[u8], &[f32])] = &[(b"the", &[0.5, -1.25]), ("größe".as_bytes(), &[3.0, 1e-3])];
    let cases: &[(Kind, Vec<u8>)] = &[
        (Kind::Glove, "the 0.5 -1.25\ngröße 3 1e-3\n".into()),
        (Kind::Glove, "the 0.5 -1.25\r\ngröße 3.0 .001".into()),
        (Kind::Glove, "the\t0.5\t-1.25\ngröße\t3.0\t1E-3\n\n".into()),
        // A space behind each number, as the C tool prints them.
        (Kind::Word2vecText, "2 2\nthe 0.500000 -1.250000 \ngröße 3.000000 0.001000 \n".into()),
        (Kind::Word2vecBinary, binary("2 2", rows, "\n")),
        (Kind::Word2vecBinary, binary("2 2", rows, "")),
    ];
    for (kind, bytes) in cases {
        for compressed in [false, true] {
            let bytes = if compressed { gzip(bytes) } else { bytes.clone() };
            for stated in [None, Some(*kind)] {
                let reading = Reading { kind: stated, ..Reading::default() };
                let (summary, rows) = rows_of(&bytes, reading).unwrap();
                assert_eq!(rows, two(), "{kind}");
                assert_eq!(
                    (summary.kind, summary.compressed, summary.words, summary.dimensions),
                    (*kind, compressed, 2, 2)
                );
            }
        }
    }
}

#[test]
fn a_file_in_two_gzip_members_is_one_file() {
    let (first, second) = ("the 0.5 -1.25\n", "größe 3 0.001\n");
    let bytes = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    assert_eq!(rows_of(&bytes, Reading::default()).unwrap().1, two());
}

#[test]
fn words_may_have_spaces_and_be_numbers() {
    let text = ". . . 0.1 0.2\nat name@domain.com 0.3 0.4\n2003 0.5 0.6\nnan 0.7 0.8\n\u{a0} 1 2\n";
    let (summary, rows) = rows_of(text.as_bytes(), Reading::default()).unwrap();
    assert_eq!(summary.dimensions, 2);
    let words: Vec<&str> = rows.iter().map(|(word, _)| word.as_str()).collect();
    assert_eq!(words, [". . .", "at name@domain.com", "2003", "nan", "\u{a0}"]);
    assert_eq!(rows[1].1, [0.3, 0.4]);
}

#[test]
fn a_number_and_its_numbers_are_no_header_if_the_kind_is_stated() {
    let glove = Reading { kind: Some(Kind::Glove), ..Reading::default() };
    let (summary, rows) = rows_of(b"12 5\n13 6\n", glove).unwrap();
    assert_eq!(summary.dimensions, 1);
    assert_eq!(rows, [("12".to_owned(), vec![5.0]), ("13".to_owned(), vec![6.0])]);
}

#[test]
fn what_is_not_utf8_is_left_out_and_counted_where_that_is_asked_for() {
    let text = b"2 2\nthe 0.5 -1.25\nna\xefve 1 2\n".to_vec();
    let rows: &[(&[u8], &[f32])] = &[(b"the", &[0.5, -1.25]), (b"na\xefve", &[1.0, 2.0])];
    for bytes in [text, binary("2 2", rows, "\n")] {
        let (summary, rows) = rows_of(&bytes, skipping()).unwrap();
        assert_eq!(rows, two()[..1]);
        assert_eq!((summary.words, summary.not_utf8), (2, 1));
    }
}

#[test]
fn reading_ends_where_enough_was_had() {
    // What is wrong behind it is not seen.
    let mut seen = 0;
    let summary = read(&b"a 1 2\nb 3 4\nc nan\n"[..], &Reading::default(), |_, _| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert_eq!((seen, summary.words), (2, 2));
}

#[test]
fn of_a_word_that_comes_again_the_first_vector_counts() {
    let mut vectors = WordVectors::default();
    let text = "a 1 2\nb 3 4\na 5 6\n";
    read(text.as_bytes(), &Reading::default(), |word, row| vectors.keep(word, row)).unwrap();
    assert_eq!((vectors.len(), vectors.duplicates()), (2, 1));
    assert_eq!(vectors.vector(vectors.index("a").unwrap()), [1.0, 2.0]);
}

#[test]
fn what_is_equally_near_comes_in_order_and_zero_is_near_nothing() {
    use graft_words::{QueryError, Term};
    let mut vectors = WordVectors::default();
    let text = "a 1 0\nzero 0 0\nc 2 2\nb 1 1\nd -1 0\n";
    read(text.as_bytes(), &Reading::default(), |word, row| vectors.keep(word, row)).unwrap();
    let found = vectors.nearest(&[Term::plus("a")], 9).unwrap();
    let words: Vec<&str> = found.iter().map(|n| vectors.word(n.index)).collect();
    assert_eq!(words, ["c", "b", "d"]);
    assert_eq!(vectors.nearest(&[Term::plus("a")], 1).unwrap()[0].index, 2);
    assert!(vectors.nearest(&[Term::plus("a")], 0).unwrap().is_empty());
    let refuses = |terms: &[Term<'_>]| vectors.nearest(terms, 3).unwrap_err();
    assert_eq!(refuses(&[Term::plus("zero")]), QueryError::Zero);
    assert_eq!(refuses(&[Term::plus("b"), Term::minus("c")]), QueryError::Zero);
    assert_eq!(refuses(&[Term::plus("x")]), QueryError::UnknownWord { word: "x".into() });
    assert_eq!(refuses(&[Term::vector(&[1.0])]), QueryError::Dimensions { found: 1, expected: 2 });
    assert_eq!(refuses(&[Term::vector(&[f32::NAN, 1.0])]), QueryError::Zero);
}
