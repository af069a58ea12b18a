// Where a row stands in its sequence, the rows of which follow each other.
struct Place { position: u32, length: u32 }

// Rows of another sequence that cross-attention sees, by the parameters of the row's slot; 0 stands for all.
fn attended_by(i: u32) -> u32 {
    let rows = control[control[3] + 16u * control[16u + 4u * i] + 12u];
    return select(rows, 0xffffffffu, rows == 0u);
}

fn place_at(i: u32) -> Place { return Place(control[16u + 4u * i + 1u], control[16u + 4u * i + 3u]); }
