//! The part below the cut: from a photo to what the trained part sees.

use std::sync::Mutex;

use graft_input::{Picture, Preparer};
use graft_onnx::GraphError;

use super::start::Place;
use crate::backbone::Backbone;
use crate::digest::Digest;
use crate::engine::{Engine, Network, NetworkError};
use crate::photos::lock;
use crate::provider::Provider;

/// The frozen part of a backbone.
pub(super) struct Frozen<'a> {
    engine: &'a Engine,
    provider: &'a Provider,
    backbone: &'a Backbone,
    /// `None`: nothing is frozen, and rows are prepared photos.
    part: Option<Part>,
    pub(super) row_length: usize,
}

struct Part {
    model: Vec<u8>,
    tensor: String,
    /// One a core on a processor; a GPU is one machine. Opened when a photo first
    /// needs one.
    networks: Vec<Mutex<Option<Network>>>,
}

/// One thread's way from photos to rows.
pub(super) struct Lane<'a> {
    frozen: &'a Frozen<'a>,
    number: usize,
    preparer: Preparer,
    pixels: Vec<f32>,
}

impl<'a> Frozen<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        provider: &'a Provider,
        backbone: &'a Backbone,
        place: &Place,
        threads: usize,
    ) -> Result<Frozen<'a>, Box<GraphError>> {
        let part = match &place.tensor {
            None => None,
            Some(tensor) => {
                let graph = backbone.graph().clone().cut_at(tensor).map_err(Box::new)?;
                let sessions = provider.sessions(threads).max(1);
                let networks = (0..sessions).map(|_| Mutex::new(None)).collect();
                Some(Part { model: graph.to_bytes(), tensor: tensor.clone(), networks })
            }
        };
        Ok(Frozen { engine, provider, backbone, part, row_length: place.row_length() })
    }

    /// What fixes a row beside the photo, if there is a network between them.
    pub(super) fn network(&self) -> Option<(Digest, &str)> {
        self.part.as_ref().map(|part| (Digest::of(&part.model), part.tensor.as_str()))
    }

    pub(super) fn background(&self) -> [u8; 3] {
        self.backbone.input.background
    }

    pub(super) fn lane(&self, number: usize) -> Lane<'_> {
        let spec = &self.backbone.input;
        let preparer = Preparer::new(spec).expect("a backbone's input was checked");
        let pixels = vec![0.0; if self.part.is_some() { spec.tensor_len() } else { 0 }];
        Lane { frozen: self, number, preparer, pixels }
    }
}

impl Lane<'_> {
    /// Writes the row of a photo.
    pub(super) fn row(&mut self, picture: &Picture, row: &mut [f32]) -> Result<(), NetworkError> {
        let Frozen { engine, provider, backbone, part, .. } = self.frozen;
        let Some(Part { model, tensor, networks }) = part else {
            self.preparer.fill(picture.frame(), row);
            return Ok(());
        };
        self.preparer.fill(picture.frame(), &mut self.pixels);
        let mut network = lock(&networks[self.number % networks.len()]);
        let network = match &mut *network {
            Some(network) => network,
            empty => empty.insert(Network::open(engine, model, provider, 1)?),
        };
        let mut found = 0;
        network.run(&backbone.input.shape(1), &self.pixels, tensor, |values| {
            found = values.len();
            if found == row.len() {
                row.copy_from_slice(values);
            }
        })?;
        if found == row.len() {
            Ok(())
        } else {
            Err(NetworkError::Output { name: tensor.clone(), found, expected: row.len() })
        }
    }
}
