// Cooperative matrices of 16 x 16.
// @stand-in begin
enable f16;
enable wgpu_cooperative_matrix;
// @stand-in end
const SIZE = 16u;
alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;
