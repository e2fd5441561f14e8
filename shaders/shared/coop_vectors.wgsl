// Workgroup memory of f16 by fours, which are written at once; Vulkan loads cooperative matrices from such.
// @stand-in begin
enable f16;
// @stand-in end
alias Cell = vec4<f16>;
fn cell(eight: mat2x4<f16>, index: u32) -> Cell { return eight[index]; }
