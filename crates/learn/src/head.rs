use ndarray::{Array1, Array2, ArrayView2};

/// A fully connected layer: `weights · x + bias`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// `[outputs, inputs]`, as ONNX's Gemm with `transB = 1` has it.
    pub weights: Array2<f32>,
    /// `[outputs]`.
    pub bias: Array1<f32>,
}

/// What turns features into logits: one layer (linear) or more, with ReLU
/// between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// In the order they are applied; each takes as many inputs as the one
    /// before gives outputs.
    pub layers: Vec<Dense>,
}

impl Dense {
    fn apply(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        x.dot(&self.weights.t()) + &self.bias
    }
}

impl Head {
    /// Logits `[examples, classes]` of features `[examples, inputs]`.
    ///
    /// # Panics
    ///
    /// If `x` has not as many columns as the first layer has inputs.
    pub fn logits(&self, x: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut layers = self.layers.iter();
        let Some(first) = layers.next() else { return x.to_owned() };
        layers.fold(first.apply(x), |mut hidden, layer| {
            hidden.mapv_inplace(|v| v.max(0.0));
            layer.apply(hidden.view())
        })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn two_layers_have_relu_between() {
        let first = Dense { weights: array![[1.0, 0.0], [0.0, 1.0]], bias: array![0.0, -1.0] };
        let second = Dense { weights: array![[1.0, 10.0]], bias: array![0.5] };
        let head = Head { layers: vec![first, second] };
        let logits = head.logits(array![[-3.0, 3.0], [2.0, 0.0]].view());
        assert_eq!(logits, array![[20.5], [2.5]]);
    }
}
