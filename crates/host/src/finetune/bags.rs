//! Texts as what their words count for.

use graft_onnx::Graph;

use crate::digest::Digest;

/// Texts as rows for a [`Graph::bag`], few numbers of which are not 0.
pub(crate) struct Bags {
    graph: Graph,
    columns: usize,
    dimensions: usize,
    texts: Vec<Bag>,
}

/// One text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bag {
    /// Words whose vectors move: where in the row, and how much each counts.
    pub(crate) counts: Vec<(u32, f32)>,
    /// What its other words add to its features.
    pub(crate) rest: Vec<f32>,
}

impl Bags {
    /// `vectors` are those that move, a row of `dimensions` a column; all places in
    /// `texts` are below the number of columns.
    pub(crate) fn new(input: &str, vectors: &[f32], dimensions: usize, texts: Vec<Bag>) -> Bags {
        let columns = vectors.len() / dimensions;
        let graph = Graph::bag(input, columns, dimensions, vectors);
        Bags { graph, columns, dimensions, texts }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(&self.graph.to_bytes())
    }

    pub(super) fn row_length(&self) -> usize {
        self.columns + self.dimensions
    }

    pub(super) fn fill(&self, example: usize, row: &mut [f32]) {
        let Bag { counts, rest } = &self.texts[example];
        let (columns, features) = row.split_at_mut(self.columns);
        columns.fill(0.0);
        for &(column, count) in counts {
            columns[column as usize] = count;
        }
        features.copy_from_slice(rest);
    }
}
