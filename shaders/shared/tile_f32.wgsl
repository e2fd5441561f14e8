// What tiles in workgroup memory hold: every format, exactly.
alias Tile = f32;
alias Tile4 = vec4<f32>;
