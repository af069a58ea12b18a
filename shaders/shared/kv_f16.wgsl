// Keys and values as f16 numbers, two a word. A head's row is DIMS4 cells of four.
alias Stored = vec2u;
alias Cell = vec2u;

fn numbers_of(cell: Cell) -> vec4f { return vec4f(unpack_f16(cell.x), unpack_f16(cell.y)); }

fn key_cell(row: u32, d: u32) -> Cell { return keys[row * DIMS4 + d]; }

fn value_cell(row: u32, d: u32) -> Cell { return values[row * DIMS4 + d]; }

fn key_numbers(row: u32, d: u32) -> vec4f { return numbers_of(key_cell(row, d)); }

fn value_numbers(row: u32, d: u32) -> vec4f { return numbers_of(value_cell(row, d)); }
