// What tiles in workgroup memory hold: every format, exactly.
alias Tile = f32;
