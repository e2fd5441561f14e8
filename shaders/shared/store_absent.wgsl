// A tensor that the descriptor leaves out: never written, but its writes must compile. TENSOR stands for its name.
fn store_bits_TENSOR(i: u32, bits: u32) { }
