// Keys and values as signed bytes, 32 with an f32 scale behind them: nine words a block, the last one of a head's row
// perhaps in part unused.
alias Stored = u32;
alias Cell = vec2u;

const KV_ROW: u32 = (DIMS4 + 7u) / 8u * 9u;

// A cell in workgroup memory: four f16 numbers.
fn numbers_of(cell: Cell) -> vec4f { return vec4f(unpack_f16(cell.x), unpack_f16(cell.y)); }

fn cell_of(x: vec4f) -> Cell { return vec2u(pack2x16float(x.xy), pack2x16float(x.zw)); }

fn code_numbers(word: u32) -> vec4f {
    return vec4f(bitcast<vec4i>(vec4u(word) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));
}

fn key_numbers(row: u32, d: u32) -> vec4f {
    let at = row * KV_ROW + d / 8u * 9u;
    return bitcast<f32>(keys[at + 8u]) * code_numbers(keys[at + d % 8u]);
}

fn value_numbers(row: u32, d: u32) -> vec4f {
    let at = row * KV_ROW + d / 8u * 9u;
    return bitcast<f32>(values[at + 8u]) * code_numbers(values[at + d % 8u]);
}

fn key_cell(row: u32, d: u32) -> Cell { return cell_of(key_numbers(row, d)); }

fn value_cell(row: u32, d: u32) -> Cell { return cell_of(value_numbers(row, d)); }
