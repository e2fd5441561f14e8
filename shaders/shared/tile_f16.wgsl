// What tiles in workgroup memory hold: F16 and the formats of 8 bits, exactly, in half the space.
// @stand-in begin
enable f16;
// @stand-in end
alias Tile = f16;
alias Tile4 = vec4<f16>;
