// Keys and values as f32 numbers. A head's row is DIMS4 cells of four.
alias Stored = vec4f;
alias Cell = vec4f;

fn numbers_of(cell: Cell) -> vec4f { return cell; }

fn key_cell(row: u32, d: u32) -> Cell { return keys[row * DIMS4 + d]; }

fn value_cell(row: u32, d: u32) -> Cell { return values[row * DIMS4 + d]; }

fn key_numbers(row: u32, d: u32) -> vec4f { return keys[row * DIMS4 + d]; }

fn value_numbers(row: u32, d: u32) -> vec4f { return values[row * DIMS4 + d]; }
