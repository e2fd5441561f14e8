//! Causal attention with two query heads for each key head, checked against its reference on this machine's adapter.
//!
//! cargo run --example attention

use langevin::reference::generate;
use langevin::verify::{self, RunOptions};
use langevin::{Align, AttentionDesc, Format, Gpu};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = Gpu::open(&Default::default())?;
    println!("{}", gpu.capabilities());
    let desc = AttentionDesc {
        heads: 4,
        kv_heads: 2,
        seq_q: 5,
        seq_kv: 40,
        head_dim: 32,
        v_dim: 32,
        k: Format::E4m3.into(),
        v: Format::E4m3.into(),
        // The last query sees all keys, the first of the five all but four.
        causal: Some(Align::BottomRight),
        lse: true,
        ..Default::default()
    };
    let inputs = generate::inputs(&desc, 1);
    let outputs = verify::run(&gpu, &desc, &inputs, &RunOptions::default())?;
    let reference = verify::Op::evaluate(&desc, &inputs)?;
    for expected in &reference {
        if let Some(got) = outputs.get(expected.name) {
            println!("{}", verify::compare(expected, got));
        }
    }
    let (got, want) = (outputs.get("out").map(|out| out.to_f64()), reference[0].values());
    if let Some(got) = got {
        println!(
            "the first query's first values: GPU {:.6} {:.6} {:.6}",
            got[[0, 0, 0, 0]],
            got[[0, 0, 0, 1]],
            got[[0, 0, 0, 2]]
        );
        println!(
            "                          reference {:.6} {:.6} {:.6}",
            want[[0, 0, 0, 0]],
            want[[0, 0, 0, 1]],
            want[[0, 0, 0, 2]]
        );
    }
    Ok(())
}
