//! `graft models add net.prototxt`, and what the model is good for.

use std::ffi::OsString;

use graft_tests::sandbox::{Sandbox, run};

use crate::deps;
use crate::expected::{self, Form, fixture};

/// A sandbox with photos and a network's two files in it.
fn sandbox(name: &str) -> Sandbox {
    let sandbox = Sandbox::with_photos(12);
    sandbox.write("net.prototxt", fixture(&format!("{name}.prototxt")));
    sandbox.write("net.caffemodel", expected::network(name).caffemodel(Form::Today));
    sandbox
}

const ADD: &str = "models add net.prototxt --weights net.caffemodel --licence MIT";

/// The bundle's references are replayed in the device engine when it is written: a
/// network that it runs otherwise than ONNX Runtime makes no bundle.
#[test]
fn networks_of_caffe_become_bundles() {
    for (network, cut) in [
        ("alexnet_like", "fc3"),
        ("inception_like", "pool4"),
        ("faces_like", "prod"),
        ("shapes_like", "abs"),
    ] {
        let sandbox = sandbox(network);
        sandbox.run(&format!("{ADD} --mean 104,117,123 --at {cut} --name small")).done();
        let folder = sandbox.data().join("models/small");
        let text = std::fs::read_to_string(folder.join("model.toml")).expect("it was written");
        for line in
            ["colour = \"bgr\"", "scale = 1.0", "mean = [104.0, 117.0, 123.0]", "layout = \"nchw\""]
        {
            assert!(text.contains(line), "{network}: {line} is not in\n{text}");
        }
        let onnx = folder.join("small.onnx");
        run(&mut sandbox.graft(["inspect".as_ref(), onnx.as_os_str()])).done();
        sandbox.run("train photos --model small --output task.graft --quiet").done();
        assert!(sandbox.path("task.graft").is_file(), "{network}");
    }
}

/// The same with a trained network of 53 convolutions.
#[test]
fn a_trained_resnet_becomes_a_bundle() {
    let sandbox = Sandbox::with_photos(8);
    let nsfw = deps("nsfw");
    let file = |name: &str| nsfw.join(name).into_os_string();
    let words = |line: &'static str| line.split(' ').map(OsString::from);
    let add = words("models add")
        .chain([file("deploy.prototxt"), "--weights".into()])
        .chain([file("resnet_50_1by2_nsfw.caffemodel")])
        .chain(words("--mean 104,117,123 --licence BSD-2-Clause --name nsfw"));
    run(&mut sandbox.graft(add)).done();
    sandbox.run("train photos --model nsfw --output task.graft --quiet").done();
    let said = sandbox.run("evaluate task.graft photos --json");
    assert_eq!(said.json()["accuracy"], 1.0, "{}", said.stdout);
}

/// A mean image of 40×36 whose planes are 10, 20 and 30, and more at the rim that
/// the network's 35×31 leave out.
#[test]
fn the_mean_image_counts_where_the_network_looks() {
    let sandbox = sandbox("alexnet_like");
    let (width, height) = (36usize, 40usize);
    let mut blob = Vec::new();
    for (field, length) in [(1u8, 1u8), (2, 3), (3, 40), (4, 36)] {
        blob.extend([field << 3, length]);
    }
    for plane in [10.0f32, 20.0, 30.0] {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let centre = (2..37).contains(&y) && (2..33).contains(&x);
            blob.push(5 << 3 | 5);
            blob.extend((if centre { plane } else { 200.0 }).to_le_bytes());
        }
    }
    sandbox.write("mean.binaryproto", blob);
    let said = sandbox.run(&format!("{ADD} --mean-file mean.binaryproto"));
    assert!(said.stderr.contains("the mean image is 36x40"), "{}", said.stderr);
    said.done();
    let text = std::fs::read_to_string(sandbox.data().join("models/net/model.toml"));
    let text = text.expect("it was written");
    assert!(text.contains("mean = [10.0, 20.0, 30.0]"), "{text}");
}

#[test]
fn what_cannot_be_added_is_named_with_its_cure() {
    let sandbox = sandbox("alexnet_like");
    let check = |line: &str, expected: &[&str]| {
        let said = sandbox.run(line);
        assert_eq!(said.status, Some(2), "{line}: {}", said.stderr);
        for part in expected {
            assert!(said.stderr.contains(part), "{line}: {part:?} is not in {}", said.stderr);
        }
    };
    check(ADD, &["mean", "--mean B,G,R", "--mean-file"]);
    check("models add net.prototxt --licence MIT", &["net.prototxt", "--weights"]);
    sandbox.write("other.caffemodel", expected::network("faces_like").caffemodel(Form::Today));
    check(
        "models add net.prototxt --weights other.caffemodel --mean 0 --licence MIT",
        &["net.prototxt", "line 8", "\"conv1\"", "needs 2 blobs", "docs/caffe.md"],
    );
    let prototxt = String::from_utf8(fixture("alexnet_like.prototxt")).expect("it is text");
    sandbox.write("halo.prototxt", prototxt.replace("type: LRN", "type: HALO"));
    check(
        "models add halo.prototxt --weights net.caffemodel --mean 0 --licence MIT",
        &["halo.prototxt", "line 14", "\"norm1\" (HALO)"],
    );
    let whole = expected::network("alexnet_like").caffemodel(Form::Today);
    sandbox.write("cut.caffemodel", &whole[..whole.len() - 100]);
    check(
        "models add net.prototxt --weights cut.caffemodel --mean 0 --licence MIT",
        &["cut.caffemodel", "\"fc4\"", "ends 100 bytes too early"],
    );
}
