// Where a row stands in its sequence, the rows of which follow each other.
struct Place { position: u32, length: u32 }

fn place_at(i: u32) -> Place { return Place(control[16u + 4u * i + 1u], control[16u + 4u * i + 3u]); }
