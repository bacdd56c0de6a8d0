//! Any bytes are a word table or refused; with what is one, any text is pooled, and the
//! table can be written again, the same.

#![no_main]

use graft_input::words::{TextPreparer, WordTable, synthetic_text, tokens, write_table};
use graft_spec::{Pooling, Tokeniser, WordsSpec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    assert!(tokens(&text).all(|token| !token.is_empty()));
    let Ok(table) = WordTable::parse(bytes) else { return };
    let made = synthetic_text(1, 50, &table);
    for (pooling, lowercase) in [
        (Pooling::Mean, true),
        (Pooling::Weighted, false),
        (Pooling::MaxMean, true),
        (Pooling::Last(5), true),
    ] {
        let tokens = Tokeniser::Words { lowercase };
        let spec = WordsSpec { tokens, pooling, dimensions: table.dimensions(), max_bytes: 4096 };
        let mut preparer = TextPreparer::new(&spec, table).expect("it is of these dimensions");
        let mut features = vec![0.0; spec.feature_length()];
        for text in [text.as_ref(), &made] {
            let counts = preparer.fill(text, &mut features);
            assert!(counts.known <= counts.tokens);
        }
    }
    let mut rows = vec![vec![0.0; table.dimensions() as usize]; table.len() as usize];
    (0..).zip(&mut rows).for_each(|(index, row)| table.row(index, row));
    let rows = (0..).zip(&rows);
    let rows = rows.map(|(index, row)| (table.word(index), table.weight(index), row.as_slice()));
    // Values that no writer writes are read all the same.
    let Ok(again) = write_table(rows, table.dimensions(), table.precision()) else { return };
    let again = WordTable::parse(&again).expect("what was written is read");
    for index in 0..table.len() {
        assert_eq!(again.lookup(table.word(index)), Some(index));
    }
});
