//! The device engine against ONNX Runtime on this machine, one thread each.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use graft_bundle::{Bundle, Contents, ModelPart, Reference, References};
use graft_host::answer::Questions;
use graft_host::backbone::Backbone;
use graft_host::compare::compare;
use graft_input::{Preparer, synthetic, tensor_sha256};
use graft_onnx::{DenseLayer, HeadWeights};
use graft_spec::{
    Answer, Calibration, Form, Input, Labels, Manifest, ModelFormat, Name, Precision, Tolerance,
};

use crate::jpegs;
use crate::setting::Setting;

const PHOTOS: usize = 200;

pub fn report(setting: &Setting, folder: &Path) -> anyhow::Result<()> {
    let bytes = bundle(&setting.backbone)?;
    let paths = jpegs::list(&jpegs::folder_of(folder, jpegs::SIZES[0]))?;
    let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).take(PHOTOS).collect();
    let photos = Questions::Photos(paths.clone());
    let compared = compare(&setting.engine, &Bundle::parse(&bytes)?, &photos, 1e-4, &mut |_| {
        ControlFlow::Continue(())
    })?;
    let (host, device) = (compared.onnxruntime, compared.device);
    println!("\nMobileNetV2, one photo, one thread");
    println!("baseline: ONNX Runtime {}; both in turns on {} photos", host.version, paths.len());
    println!(
        "{}: median {:.2} ms, baseline {:.2} ms, {:.2} times as long",
        device.version,
        device.median_ms,
        host.median_ms,
        device.median_ms / host.median_ms
    );
    Ok(())
}

/// The backbone with a head of zeros, which costs what any head costs and whose
/// reference needs no engine: its logits are zero.
fn bundle(backbone: &Backbone) -> anyhow::Result<Vec<u8>> {
    let length = backbone.feature_length;
    let head = DenseLayer {
        inputs: length,
        outputs: 2,
        weights: vec![0.0; 2 * length],
        bias: vec![0.0; 2],
    };
    let network = backbone.graph().clone().append_head(&HeadWeights { layers: vec![head] })?;
    let spec = &backbone.input;
    let (seed, width, height) = (1, spec.width, spec.height);
    let mut prepared = vec![0.0; spec.tensor_len()];
    Preparer::new(spec)?.fill(synthetic(seed, width, height).frame(), &mut prepared);
    let reference = Reference {
        seed,
        width,
        height,
        prepared_sha256: tensor_sha256(&prepared),
        logits: vec![0.0; 2],
    };
    let form = Form {
        format: ModelFormat::Onnx,
        precision: Precision::F32,
        input: network.inputs().remove(0).name,
        features: graft_onnx::FEATURES.to_owned(),
        logits: graft_onnx::LOGITS.to_owned(),
        feature_length: length,
        tolerance: Tolerance { absolute: 1e-3, relative: 1e-3 },
    };
    Ok(graft_bundle::write(&Contents {
        manifest: Manifest {
            name: Name::new("zeros".to_owned())?,
            input: Input::Image(spec.clone()),
            answer: Answer::Class(Calibration::NONE),
            forms: vec![form],
        },
        labels: Labels::new(vec!["one".to_owned(), "other".to_owned()])?,
        models: vec![ModelPart {
            bytes: &network.to_bytes(),
            references: References { classes: 2, items: vec![reference] },
        }],
        words: None,
        tokenizer: None,
        provenance: None,
    })?)
}
