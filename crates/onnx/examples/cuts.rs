//! Lists the cut points of an ONNX file: `cargo run --example cuts FILE`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("an ONNX file is wanted")?;
    let graph = graft_onnx::Graph::parse(&std::fs::read(path)?)?;
    for cut in graph.cut_points() {
        let shape: Vec<String> = cut.shape.iter().map(ToString::to_string).collect();
        println!(
            "{:3} {:40} [{}] {} {} parameters, {:?} {}",
            cut.depth,
            cut.tensor,
            shape.join(", "),
            cut.channels,
            cut.parameters,
            cut.multiply_adds.exact(),
            if cut.then_averaged { "(then averaged)" } else { "" },
        );
    }
    Ok(())
}
