// Workgroup memory of f16 one by one, from which Metal loads cooperative matrices.
// @stand-in begin
enable f16;
// @stand-in end
alias Cell = f16;
fn cell(eight: mat2x4<f16>, index: u32) -> Cell { return eight[index / 4u][index % 4u]; }
