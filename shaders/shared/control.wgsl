// What the host says between runs; the words of src/device/control.rs.
fn rows_in_use() -> u32 { return control[0]; }
fn logit_rows_in_use() -> u32 { return control[1]; }
fn gathered(i: u32) -> u32 { return control[control[2] + i]; }
