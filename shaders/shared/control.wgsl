// What the host says between runs; the words of src/device/control.rs.
fn rows_in_use() -> u32 { return control[0]; }
fn logit_rows_in_use() -> u32 { return control[1]; }
// Rows from a decoder's row to the end of the picture or the sound that it stands for; 0 where it stands for none.
fn media_rows(i: u32) -> u32 { return control[16u + 4u * i + 3u]; }
fn gathered(i: u32) -> u32 { return control[control[2] + i]; }
