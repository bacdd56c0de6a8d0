//! Prints what a model is made of: `inspect MODEL.onnx`.

use std::error::Error;

use graft_onnx::Graph;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: inspect MODEL.onnx")?;
    let graph = Graph::parse(&std::fs::read(path)?)?;
    println!("inputs {:?}", graph.inputs());
    println!("outputs {:?}", graph.outputs());
    println!("batch {:?}", graph.batch());
    println!("{:#?}", graph.summary());
    match graph.classifier() {
        Ok(classifier) => println!("{classifier:?}"),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
