// What the host says between runs; the words of src/device/control.rs.
fn rows_in_use() -> u32 { return control[0]; }
fn logit_rows_in_use() -> u32 { return control[1]; }
// Whether a decoder's row stands for a picture or a sound.
fn is_media(i: u32) -> bool { return control[16u + 4u * i + 3u] == 1u; }
fn gathered(i: u32) -> u32 { return control[control[2] + i]; }
