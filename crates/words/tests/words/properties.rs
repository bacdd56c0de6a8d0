use graft_words::{Kind, Reading};
use proptest::prelude::*;

use crate::{binary, gzip, rows_of, skipping};

fn readings() -> impl Strategy<Value = Reading> {
    let kinds = [None, Some(Kind::Glove), Some(Kind::Word2vecText), Some(Kind::Word2vecBinary)];
    (prop::sample::select(kinds.to_vec()), any::<bool>()).prop_map(|(kind, skip)| {
        let plain = if skip { skipping() } else { Reading::default() };
        Reading { kind, ..plain }
    })
}

/// Bytes that come further than noise does.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(
        [
            &b"2 2\n"[..],
            b"1 1\n",
            b"18446744073709551615 4096\n",
            b"the ",
            b"0.5 ",
            b"-1e9",
            b"nan ",
            b"\n",
            b" ",
            b"\xff",
            b"\x00\x00\x80\x3f\x00\x00\x00\xc0",
            b"\x1f\x8b\x08",
        ]
        .to_vec(),
    );
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_an_error(
        bytes in prop_oneof![prop::collection::vec(any::<u8>(), 0..400), nearly()],
        reading in readings(),
    ) {
        for bytes in [gzip(&bytes), bytes] {
            if let Ok((summary, rows)) = rows_of(&bytes, reading) {
                prop_assert_eq!(summary.words, rows.len() as u64 + summary.not_utf8);
                for (word, vector) in rows {
                    prop_assert!(!word.is_empty());
                    prop_assert_eq!(vector.len(), summary.dimensions);
                    prop_assert!(vector.iter().all(|number| number.is_finite()));
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_to_the_bit(
        words in prop::collection::vec("[^\\s]{1,8}", 1..8),
        dimensions in 2..6_usize,
        seed in prop::collection::vec(-1e30..1e30_f32, 48),
    ) {
        let rows: Vec<(String, Vec<f32>)> = words
            .iter()
            .enumerate()
            .map(|(i, word)| (word.clone(), seed[i * dimensions..][..dimensions].to_vec()))
            .collect();
        let lines: String = rows
            .iter()
            .map(|(word, vector)| {
                let numbers: String = vector.iter().map(|n| format!(" {n}")).collect();
                format!("{word}{numbers}\n")
            })
            .collect();
        let header = format!("{} {dimensions}", rows.len());
        let borrowed: Vec<(&[u8], &[f32])> =
            rows.iter().map(|(word, vector)| (word.as_bytes(), &vector[..])).collect();
        let kinds = [
            (Kind::Glove, lines.clone().into_bytes()),
            (Kind::Word2vecText, format!("{header}\n{lines}").into_bytes()),
            (Kind::Word2vecBinary, binary(&header, &borrowed, "\n")),
        ];
        for (kind, bytes) in kinds {
            let (_, found) = rows_of(&bytes, Reading { kind: Some(kind), ..Reading::default() }).unwrap();
            prop_assert_eq!(&found, &rows, "{}", kind);
        }
    }
}
