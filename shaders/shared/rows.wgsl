// Rows with their slot, position and token, from `control` or, where the host left them to the device, from `state`.
struct Row { slot: u32, position: u32, token: u32 }

const FROM_STATE: u32 = 0xffffffffu;
// Of a token in `state`: its logit was not a number.
const BROKEN: u32 = 0x80000000u;

fn row_at(i: u32) -> Row {
    let at = 16u + 4u * i;
    var row = Row(control[at], control[at + 1u], control[at + 2u]);
    if (row.token == FROM_STATE) {
        row.token = state[4u * row.slot] & ~BROKEN;
        row.position = state[4u * row.slot + 1u];
    }
    return row;
}

// Positions a slot holds: rows at or past it write nothing.
fn context() -> u32 { return control[7]; }

// Where a position lies in a layer's cache, in positions.
fn cache_position(slot: u32, position: u32, page: u32) -> u32 {
    return control[control[4] + slot * control[5] + position / page] * page + position % page;
}

fn history_at(slot: u32, position: u32) -> u32 { return control[6] + slot * control[7] + position; }
