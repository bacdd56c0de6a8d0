//! One table of vectors on both sides of the network.

use super::corpus::{Corpus, Position, Rows};

/// The words whose vectors move, as rows of a table: the words to choose from, and those
/// that are looked at before one of them. A vector that nothing is learned about would only
/// decay.
pub(super) struct Moving {
    /// By row.
    ids: Vec<u32>,
    /// By the number of a word: its row counted from 1, or 0.
    rows: Vec<u32>,
}

impl Moving {
    /// `outputs` come first, in their order.
    pub(super) fn of(
        corpus: &Corpus,
        outputs: &[u32],
        learn: &[Position],
        context: usize,
    ) -> Moving {
        let mut moves = vec![false; corpus.known()];
        for position in learn {
            for id in corpus.before(position).take(context).flatten() {
                moves[id as usize] = true;
            }
        }
        outputs.iter().for_each(|&id| moves[id as usize] = false);
        let others = (0..).zip(&moves).filter(|(_, moves)| **moves).map(|(id, _)| id);
        let ids: Vec<u32> = outputs.iter().copied().chain(others).collect();
        let mut rows = vec![0; corpus.known()];
        (1..).zip(&ids).for_each(|(row, &id)| rows[id as usize] = row);
        Moving { ids, rows }
    }

    /// Their vectors, row by row.
    pub(super) fn table(&self, vectors: &Rows) -> Vec<f32> {
        self.ids.iter().flat_map(|&id| vectors.of(id)).copied().collect()
    }

    /// The same vectors, but for those that have moved.
    pub(super) fn moved(&self, vectors: &Rows, table: &[f32]) -> Rows {
        let Rows { dimensions, mut values } = vectors.clone();
        for (&id, row) in self.ids.iter().zip(table.chunks_exact(dimensions)) {
            values[id as usize * dimensions..][..dimensions].copy_from_slice(row);
        }
        Rows { dimensions, values }
    }

    /// The rows of the words before, the last one's first, as the table's network has them.
    pub(super) fn numbers(&self, corpus: &Corpus, position: &Position, into: &mut [f32]) {
        let mut before = corpus.before(position);
        for place in into {
            let row = before.next().flatten().map_or(0, |id| self.rows[id as usize]);
            // A float holds whole numbers up to 2^24, and a table no more words.
            *place = row as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use graft_spec::Tokeniser;

    use super::*;

    #[test]
    fn words_to_choose_from_come_first_and_what_is_never_looked_at_stays() {
        let words = ["the", "cat", "sat", "mat", "on", "bear"];
        let find = |word: &str| words.iter().position(|&known| known == word);
        let tokens = Tokeniser::Words { lowercase: true };
        let text = "mat, the cat xyzzy sat on";
        let corpus = Corpus::of(&[vec![text], vec!["the bear sat"]], tokens, 6, find);
        let class = |id: u32| [2, 1].iter().position(|&output| output == id).map(|at| at as u32);
        let learn: Vec<Position> = corpus.positions(|block| block == 0, class);
        let learn: Vec<Position> = learn.into_iter().filter(|p| p.class.is_some()).collect();
        // Before "cat" stand "the", a comma and "mat"; "mat" is too far from both.
        let moving = Moving::of(&corpus, &[2, 1], &learn, 2);
        assert_eq!(moving.ids, [2, 1, 0]);
        let vectors = Rows { dimensions: 1, values: vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5] };
        assert_eq!(moving.table(&vectors), [0.2, 0.1, 0.0]);
        let moved = moving.moved(&vectors, &[7.0, 8.0, 9.0]);
        assert_eq!(moved.values, [9.0, 8.0, 7.0, 0.3, 0.4, 0.5]);
        let mut numbers = [5.0; 5];
        moving.numbers(&corpus, &learn[0], &mut numbers);
        assert_eq!(numbers, [3.0, 0.0, 0.0, 0.0, 0.0]);
        moving.numbers(&corpus, &learn[1], &mut numbers[..2]);
        assert_eq!(numbers[..2], [0.0, 2.0]);
    }
}
