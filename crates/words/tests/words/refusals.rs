use graft_words::{Kind, Reading};

use crate::{binary, gzip, rows_of};

#[test]
fn each_fault_is_named_by_its_place() {
    let mut wrong = Vec::new();
    let mut check = |bytes: &[u8], words: &str| match rows_of(bytes, Reading::default()) {
        Ok(read) => wrong.push(format!("{words}: was read: {read:?}")),
        Err(error) if error.to_string() == words => {}
        Err(error) => wrong.push(format!("{words}: {error}")),
    };
    check(b"", "there is no word in it");
    check(b"\n", "there is no word in it");
    check(b"0 5\n", "there is no word in it");
    check(b"a 1 2\nb 1\n", "line 2 is short: 1 numbers, where 2 are due");
    check(b"2003 1 2\n2004 1\n", "line 2 is short: 1 numbers, where 2 are due");
    check(b"a 1 2\n\nb 1 2\n", "line 2 is short: 0 numbers, where 2 are due");
    check(b"a 1 2\nb 1 2 3\n", "line 2 has more than the 2 numbers that are due");
    check(b"a 1 2\nb 1 x\n", "line 2: number 2 is \"x\", which is no number");
    check(b"a b\n", "line 1: number 1 is \"b\", which is no number");
    check(b"alone\n", "line 1 is short: 0 numbers, where 1 are due");
    check(b"a 1 2\nb nan 1\n", "line 2: number 1 is NaN; it must be finite");
    check(b"a 1 2\nb 1 -inf\n", "line 2: number 2 is -inf; it must be finite");
    check(b"a 1 2\nb 1e39 1\n", "line 2: number 1 is inf; it must be finite");
    check(b"a 1 2\n 1 2\n", "line 2 has no word before its numbers");
    check(b"2 2\n  1 2\na 1 2\n", "line 2 has no word before its numbers");
    check(
        b"2 2\na 1 2\nna\xefve 1 2\n",
        "line 3: the word \"na\u{fffd}ve\", at byte 10, is not UTF-8",
    );
    check(b"2 2\na 1 2\n", "the header says 2 words, the file has 1");
    check(b"1 2\na 1 2\nb 1 2\n", "the header says 1 words; at line 3 there are more");
    check(b"1 3\na 1 2\n", "line 2 is short: 2 numbers, where 3 are due");
    check(b"1 1\na 1 2\n", "line 2 has more than the 1 numbers that are due");
    check(b"2 0\na\nb\n", "0 numbers a word, by the header; it must be 1 to 4096");
    check(b"2 99999\na 1\n", "99999 numbers a word, by the header; it must be 1 to 4096");
    let wide = format!("a{}\n", " 1".repeat(4097));
    check(wide.as_bytes(), "line 1 has more than 4096 numbers");
    let long = "no word ends within 4096 bytes, no line within what its numbers can take";
    check(&[b'x'; 300_000], &format!("line 1: {long}"));
    check(format!("{} 1\n", "x".repeat(4097)).as_bytes(), &format!("line 1: {long}"));

    let rows: &[(&[u8], &[f32])] = &[(b"a", &[0.5, 2.0]), (b"bc", &[1.0, 3.0])];
    let whole = binary("2 2", rows, "\n");
    check(&whole[..whole.len() - 2], "the file ends at byte 25, inside of word 2 of 2");
    check(&whole[..16], "the file ends at byte 16, inside of word 2 of 2");
    check(&whole[..15], "the header says 2 words, the file has 1");
    check(&binary("3 2", rows, "\n"), "the header says 3 words, the file has 2");
    check(&binary("1 2", rows, "\n"), "the header says 1 words; at byte 15 there are more");
    check(&binary("1 2", rows, ""), "the header says 1 words; at byte 14 there are more");
    let nan: &[(&[u8], &[f32])] = &[(b"a", &[0.5, f32::NAN])];
    check(&binary("1 2", nan, ""), "byte 10: number 2 is NaN; it must be finite");
    let nameless: &[(&[u8], &[f32])] = &[(b"", &[0.5, 2.0])];
    check(&binary("1 2", nameless, ""), "byte 4 has no word before its numbers");
    let latin: &[(&[u8], &[f32])] = &[(b"a", &[0.5, 2.0]), (b"\xe9", &[1.0, 3.0])];
    check(&binary("2 2", latin, ""), "byte 14: the word \"\u{fffd}\", at byte 14, is not UTF-8");
    let endless: &[(&[u8], &[f32])] = &[(b"a", &[0.5, 2.0]), (&[0xff; 5000], &[1.0, 2.0])];
    check(&binary("2 2", endless, ""), &format!("byte 14: {long}"));

    let compressed = gzip("a 1 2\n".repeat(1000).as_bytes());
    let cut = &compressed[..compressed.len() - 4];
    check(cut, "the gzip stream is damaged or ends early, after 6000 bytes of what it holds");
    check(&compressed[..1], "line 1 is short: 0 numbers, where 1 are due");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_stated_kind_is_held_to() {
    for kind in [Kind::Word2vecText, Kind::Word2vecBinary] {
        let reading = Reading { kind: Some(kind), ..Reading::default() };
        let error = rows_of(b"the 0.1 0.2\n", reading).unwrap_err().to_string();
        assert!(error.starts_with("line 1 is no header"), "{error}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.txt");
    let error = graft_words::read_file(&path, &Reading::default(), |_, _| {
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!(error.unwrap_err().to_string(), format!("cannot open {}", path.display()));
}
